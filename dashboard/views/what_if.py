"""What a draft would do to recorded exceptions: in a sentence, in money, case by case."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dashboard.markup import chip, joined, markup
from dashboard.text import dollars, plain, words
from graphs.what_if import Answer, Flip, Way, WhatIf

#: what became of cases, and how it looks
WAYS: Mapping[Way, tuple[str, str]] = {
    "now_escalated": ("now escalated", "warn"),
    "no_longer_escalated": ("no longer escalated", "info"),
    "other_verdict": ("another verdict", "info"),
    "other_actions": ("same verdict, other actions", "info"),
    "more_approval": ("same plan, more approval", "warn"),
    "less_approval": ("same plan, less approval", "warn"),
}
#: of broken cases these many are told of
MOST_BROKEN = 3


def moved(cents: int) -> str:
    """A change of money with its sign: +$12.00, ±$0.00."""
    return f"{'+' if cents > 0 else '±' if not cents else ''}{dollars(cents)}"


def headline(found: WhatIf) -> Markup:
    """How many flip, which way, and what money is at stake before and after."""
    number = len(found.flips)
    told = f"of {found.cases:,} recorded exceptions would be answered otherwise"
    chips = joined(chip(f"{count:,} {WAYS[way][0]}", WAYS[way][1]) for way, count in found.ways.items())
    shift = found.at_stake_after_cents - found.at_stake_before_cents
    stake = f"{dollars(found.at_stake_before_cents)} → {dollars(found.at_stake_after_cents)} at stake over all of them"
    return markup(
        '<div class="k-figures"><div><b>{}</b> {}<div class="k-chips">{}</div></div>'
        '<div><b>{}</b> <span class="m-dim">{}</span></div></div>',
        f"{number:,}", told, chips, moved(shift), stake,
    )  # fmt: skip


def broken(found: WhatIf) -> Markup:
    """Cases that could not be answered any more; empty where there is none."""
    if not found.broken:
        return Markup("")
    told = joined(
        markup("<li>{} ({}): {}</li>", plain(one.case_id, 80), words(one.mission), plain(one.error, 200))
        for one in found.broken[:MOST_BROKEN]
    )
    head = f"{len(found.broken):,} recorded exceptions could not be answered any more, such as:"
    return markup('<div class="k-broken">{}<ul>{}</ul></div>', head, told)


def money_table(found: WhatIf) -> Markup:
    """What the plans move by kind of money, before and after: only kinds that change; empty where none does."""
    rows = joined(
        markup(
            '<tr><td>{}</td><td class="m-num">{}</td><td class="m-num">{}</td><td class="m-num">{}</td></tr>',
            words(row["kind"]), dollars(row["before_cents"]), dollars(row["after_cents"]), moved(row["moved_cents"]),
        )
        for row in found.money_rows()
        if row["moved_cents"]
    )  # fmt: skip
    if not rows:
        return Markup("")
    head = '<th>Money that plans move</th><th class="m-num">Now</th><th class="m-num">Then</th><th class="m-num">Moves</th>'
    return markup('<table class="m-table k-money">{}{}</table>', Markup(f"<tr>{head}</tr>"), rows)


def flip_rows(flips: Sequence[Flip]) -> list[dict[str, Any]]:
    """A row a flip, for a table; money in dollars."""
    return [
        {
            "Case": plain(flip.case_id, 80),
            "Subject": plain(flip.subject, 80),
            "Mission": words(flip.mission),
            "Verdict": _both(words(flip.before.verdict), words(flip.after.verdict)),
            "Approval": _both(flip.before.approval, flip.after.approval),
            "At stake now": flip.before.at_stake_cents / 100,
            "At stake then": flip.after.at_stake_cents / 100,
            "Because of": ", ".join(flip.because_of) or "not told",
        }
        for flip in flips
    ]


def _both(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def answer_card(title: str, answer: Answer, other: Answer) -> Markup:
    """One side of a flip: verdict, plan, approval; actions that the other side has not are marked."""
    kept = [_same(action) for action in other.actions]
    actions = joined(
        markup('<li{}>{} <span class="m-dim">{}</span></li>', _mark(action, kept), words(action["name"]), _arguments(action))
        for action in answer.actions
    )
    money = f"{dollars(answer.at_stake_cents)} at stake · approval: {answer.approval}"
    template = '<div class="k-answer"><div class="m-dim m-small">{}</div><b>{}</b><div class="m-small">{}</div><ol>{}</ol></div>'
    return markup(template, title, words(answer.verdict), money, actions)


def _same(action: Mapping[str, Any]) -> tuple[str, str]:
    return str(action["name"]), repr(action["args"])


def _mark(action: Mapping[str, Any], kept: Sequence[tuple[str, str]]) -> Markup:
    return Markup("") if _same(action) in kept else Markup(' class="k-other"')


def _arguments(action: Mapping[str, Any]) -> str:
    told = [f"{words(name)} {_argument(name, value)}" for name, value in action["args"].items()]
    return plain(", ".join(told), 240)


def _argument(name: str, value: Any) -> str:
    return dollars(value) if name.endswith("_cents") and isinstance(value, int) else plain(value, 60)
