"""What waits, as rows of the list, and what several proposals come to together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.text import dollars, plain, until, words
from ledger.listed import QueueFilter, Waiting
from ledger.records import MODELS, REASONERS

#: before which a proposal that is due stands out
SOON = timedelta(hours=2)


def listed(rows: Sequence[Waiting], me: str, now: datetime) -> list[dict[str, Any]]:
    """[{"id", "subject", "verdict", "money", "due", "urgency", "marks": [[kind, word]]}], plain text all of it."""
    return [
        {
            "id": row.run_id,
            "subject": plain(row.subject, 60),
            "verdict": plain(words(row.verdict), 60),
            "money": dollars(row.money_at_stake_cents) if row.money_at_stake_cents else "",
            "due": _due(row, now),
            "urgency": "late" if row.due_at <= now else "soon" if row.due_at - now < SOON else "",
            "marks": [[kind, plain(word, 40)] for kind, word in _marks(row, me, now)],
        }
        for row in rows
    ]


def _due(row: Waiting, now: datetime) -> str:
    if row.expires_at <= now:
        return f"expired {until(row.expires_at, now)}"
    return f"due {until(row.due_at, now)}"


def _marks(row: Waiting, me: str, now: datetime) -> list[tuple[str, str]]:
    marks = [("mission", words(row.mission)), ("age", f"{until(row.created_at, now).removesuffix(' ago')} old")]
    if row.tier and row.tier != "standard":
        marks.insert(0, ("vip" if row.tier in ("vip", "tier 1") else "tier", row.tier.upper() if row.tier == "vip" else row.tier))
    marks.append(("role", who_approves(row.role, row.four_eyes, row.approved_by)))
    if row.held_by:
        marks.append(("claim", f"after {row.held_by}"))
    if row.author in MODELS:
        marks.append(("author", "with a model"))
    elif row.author not in REASONERS:
        marks.append(("author", f"edited by {row.author}"))
    if row.claim is not None and row.claim.by != me:
        marks.append(("claim", f"{row.claim.by} has it open"))
    return marks


def who_approves(role: str, four_eyes: bool, approved_by: Sequence[str]) -> str:
    """Whom a proposal waits for, in words."""
    if not four_eyes:
        return role
    return f"{role}, second after {plain(approved_by[0], 60)}" if approved_by else f"2 × {role}"


@dataclass(frozen=True)
class Together:
    """Several proposals that are to be decided at once; money in cents."""

    rows: Sequence[Waiting]
    money_cents: int
    #: verdict and mission, if all are alike; the reason why not, otherwise
    verdict: str = ""
    unlike: str = ""


def together(rows: Sequence[Waiting]) -> Together:
    """What several proposals come to. Only like ones are: of one mission, with one verdict, in a pack's words."""
    money = sum(row.money_at_stake_cents for row in rows)
    kinds = {(row.mission, row.verdict): row.subject for row in rows}
    if len(kinds) > 1:
        told = [f"{words(verdict)} ({plain(subject, 40)})" for (_, verdict), subject in list(kinds.items())[:3]]
        return Together(rows, money, unlike=f"Only like proposals are decided together, and these differ: {', '.join(told)}.")
    if written := [plain(row.subject, 40) for row in rows if row.written_by_model]:
        alone = f"A model wrote a message in {', '.join(written[:3])}: open what a model wrote, and decide about it by itself."
        return Together(rows, money, unlike=alone)
    return Together(rows, money, verdict=rows[0].verdict if rows else "")


def narrowed(wanted: QueueFilter) -> int:
    """By how many things the list is filtered: mission, verdict, tier, text."""
    return sum(map(bool, (wanted.mission, wanted.verdict, wanted.tier, wanted.text.strip())))


def headline(wanted: QueueFilter, number: int, of: int) -> str:
    """How many there are, in words: "17 wait for you", or with a filter "1 of 17 matches the filter"."""
    one = number == 1
    if narrowed(wanted):
        return f"{number:,} of {of:,} {'matches' if one else 'match'} the filter"
    what = {
        "mine": "waits for you" if one else "wait for you",
        "claimed": "is open at somebody" if one else "are open at somebody",
        "expired": "can be approved no more",
    }.get(wanted.scope, "waits" if one else "wait")
    return f"{number:,} {what}"


def counted(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """[(name, "name in words (12)")], most first."""
    return [(name, f"{words(name)} ({number})") for name, number in sorted(counts.items(), key=lambda one: -one[1])]
