"""What a Mission would have done about an exception, beside what the history really did next.

What followed is a weak label: a refund says that something was wrong, not that it was this, and a customer who kept two
orders may have wanted one. The declarations in `evals/history/detectors.yaml` say, for each kind, which of it is trouble.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from evals.history.detectors import Backtested, Followed
from rendering import approver, plain, words

Response = Literal["stepped in", "let it go", "handed over"]
Label = Literal["trouble", "fine", "not known"]
Judged = Literal["caught", "needless", "missed", "rightly let go", "handed over", "not known"]
JUDGED: tuple[Judged, ...] = get_args(Judged)
_FOLLOWED: tuple[Followed, ...] = get_args(Followed)
#: days in which trouble, or a payment, may still come: of what went so for less than this nothing is known
SETTLES_DAYS = 30
#: trouble that is only that something has not come yet
_MAY_CHANGE: Sequence[Followed] = ("never_charged",)
_JUDGED: Mapping[tuple[Response, Label], Judged] = {
    ("stepped in", "trouble"): "caught",
    ("stepped in", "fine"): "needless",
    ("let it go", "trouble"): "missed",
    ("let it go", "fine"): "rightly let go",
}


@dataclass(frozen=True, kw_only=True)
class BacktestCase:
    """An exception, what the Mission would have done about it, and what followed."""

    exception_id: str
    kind: str
    subject: str
    other_id: str | None
    customer_id: str | None
    channel: str | None
    #: when people would have been told
    known_at: datetime
    #: None where the history does not tell
    money_cents: int | None
    says: str
    verdict: str
    #: who would have had to approve: "nobody" where it would have gone ahead
    approver: str
    #: what it would have had to know
    lacking: Sequence[str]
    response: Response
    followed: Sequence[Followed]
    #: of what followed, what decides `label`; None where nothing does
    because: Followed | None
    label: Label
    #: refunded or disputed later, of all orders that the exception is about
    given_back_cents: int
    #: how long after `known_at` an order of it was cancelled; None where none was, or it is not told
    cancelled_after: timedelta | None

    @property
    def judged(self) -> Judged:
        """What it comes to."""
        return "handed over" if self.response == "handed over" else _JUDGED.get((self.response, self.label), "not known")


def judged_case(row: Mapping[str, Any], result: Mapping[str, Any], declared: Backtested, history_ends: datetime) -> BacktestCase:
    """Of a row of `Worlds`, and a result in the format of evals/cases/README.md."""
    verdict, known_at = result["verdict"], row["known_at"].replace(tzinfo=UTC)
    response: Response = "handed over" if verdict == "escalate" else "let it go" if verdict in declared.lets_go else "stepped in"
    settled = known_at + timedelta(SETTLES_DAYS) <= history_ends
    trouble = next((one for one in declared.trouble if row[one] and (settled or one not in _MAY_CHANGE)), None)
    fine = next((one for one in declared.fine if row[one]), None)
    cancelled_at = row["cancelled_at"]
    return BacktestCase(
        **{name: row[name] for name in ("exception_id", "kind", "subject", "other_id", "customer_id", "channel", "money_cents")},
        known_at=known_at, says=row["says"], verdict=verdict,
        approver=approver(result["approval"]["role"], result["approval"]["four_eyes"]),
        lacking=list(dict.fromkeys(map(_named, result["lacking"]))) if response == "handed over" else [], response=response,
        followed=[one for one in _FOLLOWED if row[one]], because=trouble or (fine if settled else None),
        label="trouble" if trouble else "fine" if fine and settled else "not known",
        given_back_cents=row["given_back_cents"],
        cancelled_after=cancelled_at.replace(tzinfo=UTC) - known_at if cancelled_at else None,
    )  # fmt: skip


#: what could not be worked out names what it needs: «payment.fraud.score >= FRD_3.from»
_FIELD = re.compile(r"\b[a-z_]+(?:\.[a-z_]+)+\b(?!\()")
_UNREACHED = re.compile(r"(\S+) could not be (?:reached|read)")


def _named(lacking: str) -> str:
    if unreached := _UNREACHED.match(lacking):
        return f"{plain(unreached[1], 60)}: any record"
    fields = (field.split(".") for field in _FIELD.findall(lacking) if "«" in lacking)
    return ", ".join(dict.fromkeys(f"{words(record)}: {words('_'.join(path))}" for record, *path in fields)) or plain(
        lacking.partition(" of ")[0], 120
    )
