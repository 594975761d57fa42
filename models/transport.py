"""What comes from a model's server: bounded (so many bytes, plain, from nowhere else than asked), and what goes wrong."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import httpx2
import openai

from errors import NoAnswer


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


def bounded(most_bytes: int) -> Callable[[httpx2.Response], Awaitable[None]]:
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


def failure_of(error: Exception) -> RequestFailure:
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
