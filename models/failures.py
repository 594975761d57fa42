"""What goes wrong between here and a model, sorted by what may be done about it. No word of the server comes through."""

import math
from dataclasses import dataclass

import httpx2
import openai

from errors import NoAnswer
from models.transport import TooMuch

#: what servers say to a way of structuring that they do not know
_UNSUPPORTED = (400, 404, 422, 501)


@dataclass(frozen=True)
class Failure:
    """One try that gave no answer."""

    no_answer: NoAnswer
    #: whether the same may be sent again
    again: bool = False
    #: seconds that the server asks to wait; infinite where it says it in a way that is not understood
    wait: float = 0.0
    #: whether another way of structuring the answer may do
    other_way: bool = False
    #: whether the model cannot be asked for its likeliest answer
    no_temperature: bool = False


def failure_of(error: Exception) -> Failure:
    """What an exception of the client or its libraries means."""
    if _is_too_much(error):
        return Failure(NoAnswer("The model's server sent more than an answer can be, or something else than one.", "malformed"))
    match error:
        case openai.RateLimitError():
            says = "The model's server takes no more questions for now (429)."
            return Failure(NoAnswer(says, "limit"), again=True, wait=_wait(error.response))
        case openai.APIStatusError():
            return _refusal(error, error.status_code)
        case openai.APIError() | httpx2.HTTPError():
            return Failure(NoAnswer("The model's server cannot be reached, or broke off.", "outage"), again=True)
    return Failure(NoAnswer("The model's server sent what is no answer of a model.", "malformed"))


def _refusal(error: openai.APIStatusError, status: int) -> Failure:
    if status in (401, 403):
        return Failure(NoAnswer(f"The model's server refuses the key ({status}); look at MISSIONS_MODEL_KEY.", "outage"))
    if status in _UNSUPPORTED:
        says = f"The model's server refuses the question ({status}); look at MISSIONS_MODEL and MISSIONS_MODEL_URL."
        return Failure(NoAnswer(says, "outage"), other_way=True, no_temperature=error.param == "temperature")
    return Failure(NoAnswer(f"The model's server failed ({status}).", "outage"), again=status >= 500, wait=_wait(error.response))


def _wait(response: httpx2.Response) -> float:
    said = response.headers.get("retry-after", "0")
    try:
        seconds = float(said)
    except ValueError:
        return math.inf
    return seconds if seconds >= 0 else math.inf


def _is_too_much(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, TooMuch):
        error = error.__cause__ or error.__context__
    return error is not None
