"""Tokens from an endpoint on this machine: asked for, kept, renewed in time, refusals explained."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from streams import oauth
from streams.errors import BrokerError
from streams.oauth import ClientCredentialsTokens
from streams.settings import KafkaSettings

SECRET = "correct-horse"
Forms = list[dict[str, str]]


@asynccontextmanager
async def endpoint(
    answer: object, status: int = 200
) -> AsyncIterator[tuple[ClientCredentialsTokens, Forms]]:
    """Serve `answer` (numbered where it holds N); gives the provider and what it was asked."""
    asked: Forms = []

    async def give(request: web.Request) -> web.Response:
        asked.append({name: str(value) for name, value in (await request.post()).items()})
        if not isinstance(answer, dict):
            return web.Response(text=str(answer), status=status)
        numbered = {k: f"{v}{len(asked)}" if v == "N" else v for k, v in answer.items()}
        return web.json_response(numbered, status=status)

    app = web.Application()
    app.router.add_post("/token", give)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = KafkaSettings(
        oauth_token_url=f"http://127.0.0.1:{runner.addresses[0][1]}/token",
        oauth_client_id="opspilot",
        oauth_client_secret=SecretStr(SECRET),
        oauth_scope="kafka",
    )
    try:
        yield ClientCredentialsTokens(settings), asked
    finally:
        await runner.cleanup()


async def test_it_asks_as_rfc_6749_says():
    async with endpoint({"access_token": "N", "expires_in": 60}) as (tokens, asked):
        assert await tokens.token() == "N1"
    assert asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "opspilot",
            "client_secret": SECRET,
            "scope": "kafka",
        }
    ]


@pytest.mark.parametrize(("answer", "life_ms"), [({"expires_in": 100}, 100_000), ({}, 300_000)])
async def test_a_token_is_kept_for_nine_tenths_of_its_life(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, int], life_ms: int
):
    now = 1_000_000
    monkeypatch.setattr(oauth, "monotonic_ms", lambda: now)
    async with endpoint({"access_token": "N", **answer}) as (tokens, asked):
        assert await tokens.token() == "N1"
        now += life_ms * 9 // 10 - 1
        assert await tokens.token() == "N1"
        now += 1
        assert await tokens.token() == "N2"
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        ({"error": "invalid_client"}, 401, "it answers 401"),
        ({"error": "busy"}, 503, "it answers 503"),
        ({"token_type": "bearer"}, 200, "holds no access_token"),
        ({"access_token": "x", "expires_in": "soon"}, 200, "soon"),
        ("<html>", 200, "no OAuth token"),
        ("[1]", 200, "no OAuth token"),
    ],
)
async def test_a_refusal_is_one_sentence_that_names_the_endpoint(
    answer: object, status: int, why: str
):
    async with endpoint(answer, status) as (tokens, _):
        with pytest.raises(BrokerError) as caught:
            await tokens.token()
    said = str(caught.value)
    assert said.startswith("no OAuth token from http://127.0.0.1:")
    assert why in said
    assert "OPSPILOT_KAFKA__OAUTH_CLIENT_SECRET" in said
    assert SECRET not in said
    assert isinstance(caught.value, KafkaError), "Kafka's clients try again after such a one"


async def test_an_endpoint_that_is_not_there_is_said():
    async with endpoint({}) as (tokens, _):
        pass
    with pytest.raises(BrokerError, match="no OAuth token from"):
        await tokens.token()
