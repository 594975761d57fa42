"""A model behind an OpenAI-compatible endpoint: one question, one answer or a NoAnswer, within the limits.

What comes from its server is bounded: so many bytes, plain, from nowhere else than asked. The libraries take seconds to load,
so this file is loaded when a model is asked, and not before.
"""

import asyncio
import concurrent.futures
import logging
import math
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import openai
import orjson
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from langsmith import tracing_context
from pydantic import SecretStr

from errors import NoAnswer
from models.answers import parse_answer
from models.calls import Endpoint, Limits, Model, Question, Reply
from models.masking import refuse_what_must_not_leave

_WAYS = ("json_schema", "tools", "json")
_MOST_RETRIES = 2
#: seconds before the first retry where the server names none; then twice that
_PAUSE = 0.5
#: questions at once
_AT_ONCE = 4
#: failures in a row, after which the endpoint is left alone for so many seconds
_BREAKS_AFTER, _REST = 3, 60.0
#: a longer answer is none of so many tokens
_MOST_CHARACTERS_A_TOKEN = 12
#: of a token, where the server does not count them
_CHARACTERS_A_TOKEN = 3


@contextmanager
def open_chat_model(endpoint: Endpoint, limits: Limits) -> Iterator[Model]:
    """The model of an endpoint, opened in some seconds without sending anything."""
    for name in ("openai", "httpx2", "httpcore2", "langchain_openai"):
        # at DEBUG they write down what is asked
        logging.getLogger(name).setLevel(logging.WARNING)
    http = httpx2.AsyncClient(
        event_hooks={"response": [_bounded(limits.most_bytes)]}, trust_env=False, follow_redirects=False,
        headers={"accept-encoding": "identity"}, timeout=httpx2.Timeout(limits.seconds, connect=5.0),
    )  # fmt: skip
    # all is named here that the environment or the model's name would choose otherwise
    chat = ChatOpenAI(
        model=endpoint.model, base_url=endpoint.address, api_key=SecretStr(endpoint.key or "none"), http_async_client=http,
        max_retries=0, streaming=True, stream_usage=True, use_responses_api=False, output_version="v0", openai_proxy=None,
        http_socket_options=(), max_completion_tokens=limits.output_tokens,
    )  # fmt: skip
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="model", daemon=True)
    thread.start()
    ways = _WAYS if endpoint.structure == "auto" else (endpoint.structure,)
    # OpenAI, and Azure's, take no other parameter than they know
    is_openai = (urlsplit(endpoint.address).hostname or "").endswith(("openai.com", "openai.azure.com"))
    try:
        yield _ChatModel(endpoint.model, chat, limits, loop, ways, both_limits=not is_openai)
    finally:
        asyncio.run_coroutine_threadsafe(_close(http), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(http: Any) -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await http.aclose()


@dataclass
class _Streamed:
    """What has come of an answer, piece by piece."""

    text: str = ""
    finish: str = ""
    input_tokens: int = 0
    output_tokens: int = 0

    def take(self, chunk: AIMessageChunk) -> None:
        if any(call.get("index") for call in chunk.tool_call_chunks):
            raise NoAnswer("The model gave several answers at once.", "malformed")
        self.text += chunk.content if isinstance(chunk.content, str) else ""
        self.text += "".join(call["args"] or "" for call in chunk.tool_call_chunks)
        self.finish = chunk.response_metadata.get("finish_reason") or self.finish
        usage: Mapping[str, Any] = chunk.usage_metadata or {}
        self.input_tokens = _count(usage.get("input_tokens")) or self.input_tokens
        self.output_tokens = _count(usage.get("output_tokens")) or self.output_tokens


def _count(tokens: Any) -> int:
    return tokens if isinstance(tokens, int) and 0 < tokens < 1_000_000_000 else 0


@dataclass
class _ChatModel:
    """See Model. All that changes in it changes on the thread of its loop."""

    name: str
    _chat: ChatOpenAI
    _limits: Limits
    _loop: asyncio.AbstractEventLoop
    #: of structuring that are not known to be unsupported; one, once it has worked
    _ways: tuple[str, ...]
    #: whether the limit of tokens is sent by its older name too, which is the only one that some servers know
    both_limits: bool
    _temperature: float | None = 0.0
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _failures: int = 0
    _rests_until: float = 0.0

    def ask(self, question: Question) -> Reply:
        """See Model."""
        refuse_what_must_not_leave(question, self._limits)
        asking = asyncio.run_coroutine_threadsafe(self._ask(question), self._loop)
        try:
            return asking.result()
        except concurrent.futures.CancelledError:
            raise NoAnswer("The model was closed before it answered.", "outage") from None
        finally:
            asking.cancel()

    async def _ask(self, question: Question) -> Reply:
        begun = time.monotonic()
        if begun < self._rests_until:
            raise NoAnswer("The model failed several times in a row and is left alone for a minute.", "outage")
        try:
            async with asyncio.timeout(self._limits.seconds), self._slots:
                streamed, way, retries = await self._try_ways(question, begun + self._limits.seconds)
                if streamed.finish not in ("", "stop", "tool_calls"):
                    cut = f"cut off at {self._limits.output_tokens:,} tokens" if streamed.finish == "length" else "held back"
                    raise NoAnswer(f"The answer of the model was {cut}.", "malformed")
                answer = parse_answer(streamed.text, question.schema)
        except TimeoutError:
            self._failed()
            raise NoAnswer(f"The model did not answer within {self._limits.seconds:g} seconds.", "outage") from None
        except NoAnswer as failure:
            if failure.kind in ("outage", "limit"):
                self._failed()
            raise
        self._failures = 0
        sent = len(question.system) + len(question.user) + len(orjson.dumps(question.schema))
        return Reply(
            answer=answer,
            structure=way,
            input_tokens=streamed.input_tokens or sent // _CHARACTERS_A_TOKEN,
            output_tokens=streamed.output_tokens or len(streamed.text) // _CHARACTERS_A_TOKEN,
            latency_ms=(time.monotonic() - begun) * 1000,
            retries=retries,
        )

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= _BREAKS_AFTER:
            self._rests_until = time.monotonic() + _REST

    async def _try_ways(self, question: Question, until: float) -> tuple[_Streamed, str, int]:
        """(what the model wrote, the way in which it was made to, how often it was asked again)"""
        ways, retries = list(self._ways), 0
        while True:
            try:
                streamed = await self._stream(question, ways[0])
                self._ways = (ways[0],)
                return streamed, ways[0], retries
            except NoAnswer:
                raise
            except Exception as error:  # of three libraries, and of what a server makes them stumble over
                failure = _failure_of(error)
                if failure.no_temperature and self._temperature is not None:
                    self._temperature = None
                elif failure.other_way and ways[1:]:
                    del ways[0]
                elif failure.again and retries < _MOST_RETRIES:
                    pause = max(failure.wait, _PAUSE * 2**retries)
                    if time.monotonic() + pause >= until:
                        raise failure.no_answer from None
                    retries += 1
                    await asyncio.sleep(pause)
                else:
                    raise failure.no_answer from None

    async def _stream(self, question: Question, way: str) -> _Streamed:
        streamed, most = _Streamed(), self._limits.output_tokens * _MOST_CHARACTERS_A_TOKEN
        messages, parameters = self._request(question, way)
        with tracing_context(enabled=False):
            chunks = self._chat.astream(messages, **parameters)
            # an iterator that is left is closed here and now, and its connection with it
            async with aclosing(cast(AsyncGenerator[AIMessageChunk], chunks)):
                async for chunk in chunks:
                    streamed.take(chunk)
                    if len(streamed.text) > most:
                        raise NoAnswer("The answer of the model is longer than it was asked to be.", "malformed")
        return streamed

    def _request(self, question: Question, way: str) -> tuple[list[tuple[str, str]], dict[str, Any]]:
        """(messages, parameters) by which the answer is structured in a way."""
        # response_format goes as it is, since langchain-openai streams it without usage otherwise
        body: dict[str, Any] = {"max_tokens": self._limits.output_tokens} if self.both_limits else {}
        parameters: dict[str, Any] = {"extra_body": body}
        if self._temperature is not None:
            parameters["temperature"] = self._temperature
        system, name, schema = question.system, question.purpose, question.schema
        if way == "json_schema":
            body["response_format"] = {"type": way, "json_schema": {"name": name, "strict": True, "schema": schema}}
        elif way == "tools":
            function = {"name": name, "description": "Give the answer.", "parameters": schema}
            parameters["tools"] = [{"type": "function", "function": function}]
            parameters["tool_choice"] = {"type": "function", "function": {"name": name}}
        else:
            body["response_format"] = {"type": "json_object"}
            text = orjson.dumps(schema).decode()
            system += f"\n\nAnswer with one JSON object of this JSON Schema, and with nothing else:\n{text}"
        return [("system", system), ("user", question.user)], parameters


class TooMuch(Exception):
    """A server sends more than an answer can be, or something else than an answer."""


class _CountedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: object, most_bytes: int) -> None:
        assert isinstance(inner, httpx2.AsyncByteStream)
        self._inner, self._left = inner, most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise TooMuch
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def _bounded(most_bytes: int) -> Callable[[httpx2.Response], Awaitable[None]]:
    """A hook by which answers end with TooMuch after so many bytes, counted as they come; redirected or compressed ones too."""

    async def bound(response: httpx2.Response) -> None:
        if 300 <= response.status_code < 400 or response.headers.get("content-encoding", "identity") != "identity":
            raise TooMuch
        response.stream = _CountedStream(response.stream, most_bytes)

    return bound


@dataclass(frozen=True)
class RequestFailure:
    """One try that gave no answer."""

    no_answer: NoAnswer
    #: whether the same may be sent again
    again: bool = False
    #: seconds that the server asks to wait (Retry-After, RFC 9110); infinite where it says it in a way that is not understood
    wait: float = 0.0
    #: whether another way of structuring the answer may do
    other_way: bool = False
    #: whether the model cannot be asked for its likeliest answer
    no_temperature: bool = False


def _failure_of(error: Exception) -> RequestFailure:
    """What an exception of the client or its libraries means."""
    if _is_too_much(error):
        message = "The model's server sent more than an answer can be, or something else than one."
        return RequestFailure(NoAnswer(message, "malformed"))
    match error:
        case openai.RateLimitError():
            message = "The model server is not accepting requests right now (429)."
            return RequestFailure(NoAnswer(message, "limit"), again=True, wait=_wait(error.response))
        case openai.APIStatusError(status_code=401 | 403 as status):
            message = f"The model's server refuses the key ({status}); look at MISSIONS_MODEL_KEY."
            return RequestFailure(NoAnswer(message, "outage"))
        case openai.APIStatusError(status_code=400 | 404 | 422 | 501 as status):  # to a way of structuring that it does not know
            message = f"The model's server refuses the question ({status}); look at MISSIONS_MODEL and MISSIONS_MODEL_URL."
            return RequestFailure(NoAnswer(message, "outage"), other_way=True, no_temperature=error.param == "temperature")
        case openai.APIStatusError(status_code=status):
            message = f"The model's server failed ({status})."
            return RequestFailure(NoAnswer(message, "outage"), again=status >= 500, wait=_wait(error.response))
        case openai.APIError() | httpx2.HTTPError():
            return RequestFailure(NoAnswer("The model's server cannot be reached, or broke off.", "outage"), again=True)
    return RequestFailure(NoAnswer("The model server sent an invalid answer.", "malformed"))


def _wait(response: httpx2.Response) -> float:
    try:
        seconds = float(response.headers.get("retry-after", "0"))
    except ValueError:
        return math.inf
    return seconds if seconds >= 0 else math.inf


def _is_too_much(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, TooMuch):
        error = error.__cause__ or error.__context__
    return error is not None
