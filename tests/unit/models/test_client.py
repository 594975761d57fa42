"""Whatever a model's server does, a question ends in an answer or a NoAnswer, in time and within bounds."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from errors import BadInput, NoAnswer
from models.calls import Endpoint, Limits, Model, Question, Reply
from models.client import open_chat_model
from tests.model_server import behaviours as does
from tests.model_server.badly import BADLY, RIGHT
from tests.model_server.server import WAYS, ModelServer

SCHEMA = {
    "type": "object", "additionalProperties": False, "required": ["verdict", "cents"],
    "properties": {"verdict": {"enum": ["refund", "hold"]}, "cents": {"type": "integer"}},
}  # fmt: skip
QUESTION = Question(purpose="plan", prompt="llm@1:00000000", system="You decide.", user="CASE O-1", schema=SCHEMA)
LIMITS = Limits(seconds=1.0, output_tokens=500)
#: for what ends by itself, however slow the machine is
PATIENT = Limits(seconds=60.0, output_tokens=500)

NOWHERE = [
    "http://models.example/v1", "ftp://localhost/v1", "https://key@models.example/v1", "https://x.example/v1?k=a", "x:80/v1",
    "https://", "http://8.8.8.8/v1", "http://localhost:99999/v1", "https://x.example/\nv1",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """The client's libraries load much when they first send; no deadline is about that."""
    with (
        ModelServer(lambda _: does.Say(RIGHT)) as server,
        open_chat_model(Endpoint(model="m", url=server.url), Limits()) as model,
    ):
        model.ask(QUESTION)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda _: does.Say(RIGHT)) as opened:
        yield opened
        assert opened.wrong == []


def ask(server: ModelServer, limits: Limits = LIMITS, **endpoint: Any) -> Reply:
    with open_chat_model(Endpoint(model="gpt-x", url=server.url, key="sk-key", **endpoint), limits) as model:
        return model.ask(QUESTION)


def no_answer(server: ModelServer, model: Model | None = None, limits: Limits = LIMITS) -> NoAnswer:
    with pytest.raises(NoAnswer) as raised:
        model.ask(QUESTION) if model else ask(server, limits)
    said = str(raised.value)
    assert "WORDS" not in said and "CASE" not in said and "sk-key" not in said
    return raised.value


@pytest.mark.parametrize("way", WAYS)
def test_a_right_answer_comes_in_each_way_with_its_tokens(server: ModelServer, way: Any) -> None:
    reply = ask(server, structure=way)
    assert (reply.answer, reply.structure, reply.retries) == (RIGHT, way, 0)
    assert (reply.input_tokens, reply.output_tokens) == (120, 30)
    (asked,) = server.asked
    assert asked.way == way and asked.schema == SCHEMA and asked.user == QUESTION.user
    assert asked.headers["authorization"] == "Bearer sk-key" and asked.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("way", WAYS)
def test_the_way_that_a_server_supports_is_found_once(server: ModelServer, way: str) -> None:
    server.supports = {way}
    with open_chat_model(Endpoint(model="gpt-x", url=server.url), LIMITS) as model:
        assert [model.ask(QUESTION).structure for _ in range(2)] == [way, way]
    assert [asked.way for asked in server.asked] == [*WAYS[: WAYS.index(way) + 1], way]


def test_a_server_that_supports_no_way_gives_no_answer(server: ModelServer) -> None:
    server.supports = ()
    assert no_answer(server).kind == "outage" and len(server.asked) == len(WAYS)


def test_a_model_that_takes_no_temperature_is_asked_without(server: ModelServer) -> None:
    server.script = lambda asked: does.Status(400, param="temperature") if "temperature" in asked.body else does.Say(RIGHT)
    assert ask(server).structure == "json_schema"
    assert [asked.body.get("temperature") for asked in server.asked] == [0.0, None]


@pytest.mark.parametrize("badly", BADLY)
def test_whatever_else_a_server_does_ends_in_no_answer(server: ModelServer, badly: str) -> None:
    behaviour, kind = BADLY[badly]
    server.script = lambda _: behaviour
    assert no_answer(server, limits=PATIENT if kind == "malformed" else LIMITS).kind == kind


def test_a_passing_failure_is_asked_again(server: ModelServer) -> None:
    server.script = lambda _: turns
    turns = does.then(does.Status(429, retry_after="0"), does.Say(RIGHT))
    reply = ask(server, Limits(seconds=5))
    assert (reply.answer, reply.retries) == (RIGHT, 1)


def test_tokens_that_a_server_does_not_count_are_guessed(server: ModelServer) -> None:
    server.script = lambda _: does.Say(RIGHT, usage=False)
    reply = ask(server)
    assert 0 < reply.output_tokens < reply.input_tokens


def test_an_answer_in_a_fenced_block_is_read(server: ModelServer) -> None:
    server.script = lambda _: does.Raw('```json\n{"verdict": "hold", "cents": 1}\n```')
    assert ask(server).answer == {"verdict": "hold", "cents": 1}


def test_a_model_that_fails_three_times_is_left_alone(server: ModelServer) -> None:
    server.script = lambda _: does.Status(503)
    with open_chat_model(Endpoint(model="gpt-x", url=server.url), Limits(seconds=0.2)) as model:
        for _ in range(5):
            assert no_answer(server, model).kind == "outage"
    assert len(server.asked) == 3


def test_what_must_not_leave_is_not_sent(server: ModelServer) -> None:
    question = Question(purpose="plan", prompt="llm@1:0", system="", user="Call 4111 1111 1111 1111", schema=SCHEMA)
    with (
        open_chat_model(Endpoint(model="m", url=server.url), LIMITS) as model,
        pytest.raises(NoAnswer, match="a card number") as blocked,
    ):
        model.ask(question)
    assert blocked.value.kind == "blocked" and server.asked == []


def test_an_answer_of_too_many_bytes_is_not_taken_in(server: ModelServer) -> None:
    server.script = lambda _: does.Flood()
    with pytest.raises(NoAnswer) as bounded:
        ask(server, Limits(seconds=20, output_tokens=10_000_000, most_bytes=30_000))
    assert bounded.value.kind == "malformed"


def test_a_model_that_is_closed_meanwhile_gives_no_answer(server: ModelServer) -> None:
    server.script = lambda _: does.Hang()
    with ThreadPoolExecutor(1) as other:
        with open_chat_model(Endpoint(model="m", url=server.url), Limits()) as model:
            asking = other.submit(no_answer, server, model)
            while not server.asked:
                time.sleep(0.01)
        assert asking.result().kind == "outage"


def test_a_question_that_is_too_long_is_not_sent(server: ModelServer) -> None:
    with pytest.raises(NoAnswer) as limited:
        ask(server, Limits(prompt_characters=10))
    assert limited.value.kind == "limit" and server.asked == []


def test_the_environment_changes_nothing_of_where_a_question_goes(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = "http://127.0.0.1:9/v1"
    for name in (
        "OPENAI_API_BASE",
        "OPENAI_BASE_URL",
        "OPENAI_PROXY",
        "HTTP_PROXY",
        "ALL_PROXY",
        "LANGSMITH_ENDPOINT",
        "LANGSMITH_GATEWAY_URL",
    ):
        monkeypatch.setenv(name, elsewhere)
    for name, value in {"OPENAI_API_KEY": "other", "LANGSMITH_API_KEY": "x", "LANGSMITH_TRACING": "true", "OPENAI_LOG": "debug",
                        "LC_OUTPUT_VERSION": "responses/v1", "OPENAI_ORG_ID": "org"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.DEBUG):
        assert ask(server).answer == RIGHT
    assert server.asked[0].headers["authorization"] == "Bearer sk-key"
    assert "CASE" not in caplog.text and "sk-key" not in caplog.text


@pytest.mark.parametrize("url", NOWHERE)
def test_an_address_that_a_case_must_not_go_to_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="MISSIONS_MODEL"), open_chat_model(Endpoint(model="m", url=url), LIMITS):
        pass
