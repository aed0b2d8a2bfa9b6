"""The probe: an adapter that answers like the base model is not there."""

import pytest

from agents.llm.errors import BadAnswerError, UnreachableError
from agents.llm.probe import prove
from agents.llm.protocol import Reply, Request, ServerInfo


class Server:
    """Answers by what it knows; an adapter that it lacks is answered by the base model."""

    name = "fake"

    def __init__(self, *adapters: str, steady: bool = True) -> None:
        self.adapters = adapters
        self.steady = steady
        self.asked: list[Request] = []
        self.error: Exception | None = None

    async def complete(self, request: Request) -> Reply:
        self.asked.append(request)
        if self.error:
            raise self.error
        who = request.adapter if request.adapter in self.adapters else "base"
        noise = "" if self.steady else f" {len(self.asked)}"
        text = f"{who}: {request.messages[-1].content}{noise}"
        return Reply({"answer": text}, text, "m", request.adapter, 1, 1, 1.0)

    async def describe(self) -> ServerInfo:
        raise AssertionError

    async def count_tokens(self, text: str) -> int:
        raise AssertionError

    async def close(self) -> None:
        pass


async def test_an_adapter_that_answers_is_proven_by_the_first_question():
    server = Server("good")
    proof = await prove(server, "good", 5.0)
    assert proof.answers
    assert [asked.adapter for asked in server.asked] == [None, "good", None]
    assert {asked.temperature for asked in server.asked} == {0.0}


async def test_an_adapter_that_the_server_lacks_is_found_out():
    server = Server("good")
    proof = await prove(server, "lost", 5.0)
    assert not proof.answers
    assert "lost" in proof.why
    assert len({asked.messages for asked in server.asked}) == 3
    assert len(server.asked) <= 9


async def test_a_base_model_that_differs_from_itself_is_no_evidence():
    proof = await prove(Server(steady=False), "lost", 5.0)
    assert not proof.answers
    assert "unsteadily" in proof.why


async def test_answers_that_are_no_json_can_be_compared_too():
    class Cut(Server):
        async def complete(self, request: Request) -> Reply:
            raise BadAnswerError("cut", (await super().complete(request)).text)

    assert (await prove(Cut("good"), "good", 5.0)).answers
    assert not (await prove(Cut(), "good", 5.0)).answers


async def test_without_any_answer_nothing_is_proven():
    server = Server("good")
    server.error = UnreachableError("refused")
    with pytest.raises(UnreachableError):
        await prove(server, "good", 5.0)
