"""Whatever a server does, a backend says it in the project's own errors, once, and goes on after.

Time limits here are short so that the tests are; nothing asserts how long anything took.
"""

import asyncio
import socket
from dataclasses import replace

import pytest
from fakes import acts
from fakes.acts import Act
from questions import QUESTION
from seams import KEY, Seam, backend_for

from agents.llm.errors import (
    BadAnswerError,
    ModelError,
    NotAllowedError,
    OverloadedError,
    RejectedError,
    ServerFaultError,
    TimedOutError,
    TooLongError,
    UnreachableError,
)
from opspilot.local.ports import free_port

FAILURES: dict[str, tuple[Act, type[ModelError]]] = {
    "overloaded": (acts.overloaded(), OverloadedError),
    "unavailable": (acts.unavailable(), OverloadedError),
    "too long": (acts.too_long(), TooLongError),
    "payload too large": (acts.refused(413), TooLongError),
    "invalid": (acts.invalid(), RejectedError),
    "not found": (acts.refused(404, "Not Found"), RejectedError),
    "generation failed": (acts.generation_failed(), ServerFaultError),
    "incomplete generation": (acts.incomplete(), ServerFaultError),
    "internal error": (acts.refused(500, "Internal Server Error"), ServerFaultError),
    "no key": (acts.refused(401), NotAllowedError),
    "no right": (acts.refused(403), NotAllowedError),
    "page of a proxy": (acts.error_page(502), UnreachableError),
    "page instead of an answer": (acts.error_page(200), ServerFaultError),
    "redirect": (acts.redirect("http://127.0.0.1:1/"), RejectedError),
    "no JSON": (acts.not_json(), ServerFaultError),
    "half of the JSON": (acts.half_json(), ServerFaultError),
    "JSON of a wrong form": (acts.wrong_form(), ServerFaultError),
    "too big": (acts.huge(5 << 20), ServerFaultError),
    "packed": (acts.packed(), ServerFaultError),
    "dropped": (acts.drop(), UnreachableError),
    "cut off": (acts.cut_off(), UnreachableError),
    "hangs": (acts.hang(), TimedOutError),
    "trickles": (acts.trickle(0.05), TimedOutError),
    "slow": (acts.slow(5.0), TimedOutError),
    "cut off at its tokens": (acts.truncated(), BadAnswerError),
    "prose": (acts.writes("I cannot answer that."), BadAnswerError),
    "a list": (acts.writes("[1, 2]"), BadAnswerError),
    "nothing": (acts.writes(" "), BadAnswerError),
    "half a surrogate": (acts.writes('{"category": "\\ud800"}'), BadAnswerError),
    "endless nesting": (acts.writes("[" * 100_000), BadAnswerError),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_has_its_error(seam: Seam, name: str):
    act, expected = FAILURES[name]
    await seam.backend.complete(QUESTION)
    before = len(seam.fake.generations)
    seam.fake.script(act)
    seconds = 1.0 if expected is TimedOutError else 30.0
    with pytest.raises(ModelError) as raised:
        await seam.backend.complete(replace(QUESTION, timeout_seconds=seconds))
    assert type(raised.value) is expected
    assert len(seam.fake.generations) == before + 1, "a backend never asks twice by itself"
    said = str(raised.value)
    assert KEY not in said and len(said) < 400 and said.isprintable()
    assert (await seam.backend.complete(QUESTION)).content, "the next question is answered"


async def test_a_bad_answer_keeps_its_words_for_the_repair(seam: Seam):
    seam.fake.script(acts.truncated())
    with pytest.raises(BadAnswerError) as raised:
        await seam.backend.complete(QUESTION)
    assert raised.value.text == '{"category": "Net'


async def test_a_server_says_when_to_come_back(seam: Seam):
    seam.fake.script(acts.overloaded("7"))
    with pytest.raises(OverloadedError) as raised:
        await seam.backend.complete(QUESTION)
    assert raised.value.retry_after_seconds == 7.0


async def test_a_key_that_the_server_repeats_is_not_repeated(seam: Seam):
    seam.fake.script(acts.refused(401, f"Incorrect API key provided: {KEY}"))
    with pytest.raises(NotAllowedError) as raised:
        await seam.backend.complete(QUESTION)
    assert KEY not in str(raised.value)
    assert "Incorrect API key" in str(raised.value)


async def test_a_wrong_key_is_said_to_be_one(seam: Seam):
    key = "sk-another-key-altogether"
    stranger = backend_for(seam.fake.url, seam.backend.name, api_key=key)
    with pytest.raises(NotAllowedError, match="OPSPILOT_MODEL__API_KEY") as raised:
        await stranger.complete(QUESTION)
    assert "sk-another" not in str(raised.value)
    await stranger.close()


@pytest.mark.parametrize("name", ["tgi", "openai"])
async def test_nobody_at_the_address(name: str):
    backend = backend_for(f"http://127.0.0.1:{free_port()}/v1", name)
    for asking in (
        backend.complete(QUESTION), backend.describe(), backend.count_tokens("x"),
    ):  # fmt: skip
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1"):
            await asking
    await backend.close()


@pytest.mark.parametrize("name", ["tgi", "openai"])
async def test_no_such_host(name: str):
    backend = backend_for("http://no-such-host.invalid/v1", name)
    with pytest.raises(UnreachableError, match="no-such-host"):
        await backend.complete(QUESTION)
    await backend.close()


@pytest.mark.parametrize("name", ["tgi", "openai"])
async def test_a_listener_that_never_speaks_ends_with_the_time(name: str):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        backend = backend_for(f"http://127.0.0.1:{port}/v1", name, call_timeout_seconds=0.3)
        for asking in (
            backend.complete(replace(QUESTION, timeout_seconds=0.3)),
            backend.describe(),
            backend.count_tokens("x"),
        ):
            with pytest.raises(TimedOutError):
                await asking
        await backend.close()


async def test_a_call_that_is_cancelled_is_cancelled(seam: Seam):
    seam.fake.script(acts.hang())
    call = asyncio.create_task(seam.backend.complete(QUESTION))
    while not seam.fake.generations:
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await seam.backend.complete(QUESTION)).content


async def test_no_address_with_its_password_is_told():
    backend = backend_for("http://someone:secretword@127.0.0.1:1/v1")
    with pytest.raises(ModelError) as raised:
        await backend.complete(QUESTION)
    assert "secretword" not in str(raised.value)
    await backend.close()
