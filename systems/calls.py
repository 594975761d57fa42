"""Calls of the systems of record, and what comes back. Recorded and real systems are both a Reader and a Writer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Fence:
    """What goes with a write, so that a system can refuse it once somebody else has what it is about."""

    #: the run that writes
    scope: str
    #: greater with every process that has the run
    token: int
    valid_until: datetime


@dataclass(frozen=True)
class Call:
    """One call of a tool: `tool` is "<system>.<name>", `args` are plain JSON values."""

    tool: str
    args: Mapping[str, Any]
    #: of a write: the action that it is, and what its tool is sent in place of `args`, if it is something else
    action: str = ""
    sends: Mapping[str, Any] | None = None
    #: of a write, who approved it; empty where nobody had to
    approved_by: str = ""
    #: of a write, [{"system", "record", "field", "before"}]: it is refused where the system finds something else,
    #: if its tool takes such conditions
    expects: Sequence[Mapping[str, Any]] = ()
    #: of a write, asked right before each sending, for so many seconds: leave to send it, or TakenOver
    leave: Callable[[float], Fence] | None = field(default=None, compare=False, repr=False)

    @property
    def system(self) -> str:
        """The system of record that has the tool."""
        return self.tool.partition(".")[0]

    @property
    def name(self) -> str:
        """The name that the system itself gives the tool."""
        return self.tool.partition(".")[2]


@dataclass(frozen=True)
class ReadResult:
    """What a read gave: ok with a value, absent (the system has no such record), or failed with a sentence."""

    call: Call
    status: Literal["ok", "absent", "failed"]
    #: the record, the list of records, or any other JSON object; None unless ok
    value: Any
    #: when the answer arrived (UTC)
    read_at: datetime
    error: str | None = None


@dataclass(frozen=True)
class Receipt:
    """A system's answer to a write; `replayed` when it had already done it under this key."""

    tool: str
    key: str
    answer: Mapping[str, Any]
    replayed: bool
    #: nothing was sent: it is of no system, and says nothing as one would
    simulated: bool = False


class Reader(Protocol):
    """Reads, and nothing else."""

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """Results in the order of the calls, read side by side; one failing read never fails the others.

        Raises Refused, before anything is sent, when a tool is not known to READ.
        """


class Writer(Protocol):
    """Writes, one at a time."""

    def write(self, call: Call, key: str) -> Receipt:
        """Do it once per idempotency key.

        Raises Refused when the system (or the guard) refuses, TryAgain when it was surely not sent, OutcomeUnknown
        when it was sent and no answer came.
        """

    def honours_keys(self, call: Call) -> bool:
        """Whether the tool takes an idempotency key, so that the same call may be sent again under it.

        Raises TryAgain when the system cannot be reached, Refused when it has no such tool.
        """


#: what an answer to a write may call whether it was done, and where it may wrap its answer
_VERDICTS, _WRAPS = ("ok", "done", "success", "successful", "succeeded"), ("result", "data", "response")
#: a status that is no receipt, where no record shows what was done
_NOT_YET = ("rejected", "refused", "denied", "pending", "queued", "skipped", "cancelled", "unknown")


def denial(answer: Mapping[str, Any]) -> str | None:
    """What an answer to a write says against its having been done; None where it says nothing of the kind."""
    for name, value in {str(name).casefold(): value for name, value in answer.items()}.items():
        against = (
            (name in _VERDICTS and value is not True)
            or (name in ("error", "errors") and bool(value))
            or (name in ("iserror", "is_error") and value is not False)
            or (name == "status" and str(value).casefold() in ("error", "failed", "failure"))
        )
        if against:
            return f"{name}: {value!s:.200}"
        if name in _WRAPS and isinstance(value, Mapping) and (inner := denial(value)):
            return inner
    return None


def says_done(answer: Mapping[str, Any]) -> bool:
    """Whether an answer to a write says that it was done: it has a receipt, or a word for it, and nothing speaks against it."""
    receipt = answer.get("receipt_id")
    has_receipt = (isinstance(receipt, str) and bool(receipt.strip())) or type(receipt) is int
    confirmed = has_receipt or any(answer.get(name) is True for name in _VERDICTS)
    return confirmed and denial(answer) is None and str(answer.get("status")).casefold() not in _NOT_YET
