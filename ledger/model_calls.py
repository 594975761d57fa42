"""What is kept of a question to a language model: who was asked, what it cost, and the answer that was used.

A question is written down before it is sent, with what it may take at most, and that counts against the budgets until its
answer has come: a process that dies while it asks has spent what it could have spent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import rendering
from errors import BadInput, Refused

ModelCallStatus = Literal["sent", "answered", "failed"]


@dataclass(frozen=True, kw_only=True)
class ModelUsage:
    """What a question took, and what came back."""

    input_tokens: int = 0
    output_tokens: int = 0
    #: US cents; while the answer has not come, what it costs at most
    cost_cents: float = 0.0
    latency_ms: float = 0.0
    #: how often the question was sent again
    retries: int = 0
    error: str = ""
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class ModelCall(ModelUsage):
    """One question to a model. The question itself is not kept: its digest says whether it is asked again."""

    call_id: str
    #: empty where no run asks: of a text that somebody has read
    run_id: str
    look: int
    purpose: str
    model: str
    #: name, version and digest of the prompt file
    prompt: str
    #: SHA-256 of the question
    question: str
    status: ModelCallStatus
    at: datetime
    ended_at: datetime | None = None
    #: counted against the budgets while the answer has not come
    reserved_tokens: int = 0

    @property
    def tokens(self) -> int:
        """What it counts against the budgets."""
        return self.reserved_tokens if self.status == "sent" else self.input_tokens + self.output_tokens


@dataclass(frozen=True, kw_only=True)
class ModelCallEnd(ModelUsage):
    """How a question ended."""

    status: Literal["answered", "failed"]
    ended_at: datetime


@dataclass(frozen=True)
class Spent:
    """Tokens and US cents of questions, with what is reserved for those that are asked now."""

    tokens: int = 0
    cents: float = 0.0

    @classmethod
    def by(cls, calls: Iterable[ModelCall]) -> "Spent":
        """By these questions."""
        found = list(calls)
        return cls(sum(call.tokens for call in found), sum(call.cost_cents for call in found))


def check_budgets(call: ModelCall, run: Spent, day: Spent, *, run_tokens: int, day_tokens: int, day_cents: float) -> None:
    """Refused where a question would pass what its run or its day may take; cents are not counted where they may be 0.

    `run` and `day` are what was spent by the run of the question, and on its day (UTC), before it.
    """
    if call.run_id and run.tokens + call.reserved_tokens > run_tokens:
        raise Refused(f"Run {call.run_id} has used {run.tokens:,} of the {run_tokens:,} tokens that a run may ask a model for.")
    if day.tokens + call.reserved_tokens > day_tokens:
        raise Refused(f"{day.tokens:,} of the {day_tokens:,} tokens are used that models may take on {_date(call)}.")
    if day_cents and day.cents + call.cost_cents > day_cents:
        raise Refused(f"{day.cents:,.2f} of the {day_cents:,.2f} US cents are used that models may cost on {_date(call)}.")


def ended(call: ModelCall | None, call_id: str, end: ModelCallEnd) -> ModelCall:
    """The question with its end. BadInput where it was never begun, Refused where it has ended."""
    if call is None:
        raise BadInput(f"There is no question '{call_id}' to a model in the ledger: it must be begun before it ends.")
    if call.status != "sent":
        raise Refused(f"The question '{call_id}' has ended: {call.status}.")
    return replace(call, **vars(end))


def summary(calls: Sequence[ModelCall]) -> str:
    """What the questions of a run took, in a line; empty where nothing was asked."""
    if not calls:
        return ""
    models, failed = " and ".join(dict.fromkeys(call.model for call in calls)), sum(call.status == "failed" for call in calls)
    spent, seconds = Spent.by(calls), sum(call.latency_ms for call in calls) / 1000
    asked = f"{len(calls)} question{'s' if len(calls) > 1 else ''} to {models}{f', {failed} without an answer' if failed else ''}"
    cost = f", {spent.cents:,.2f} US cents" if spent.cents else ""
    return f"{asked}: {spent.tokens:,} tokens{cost}, {seconds:.1f} s"


def _date(call: ModelCall) -> str:
    return f"{rendering.day(call.at.astimezone(UTC))} (UTC)"
