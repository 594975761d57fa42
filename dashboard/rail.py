"""The Explain rail as a vertical timeline: what was read, found, proposed, decided and done, each with its moment.

The reads of one attempt are one entry that opens to each read, and so is the reasoning before a plan. A long text shows its
beginning and opens to the rest. Works in a column of 320 px as over the whole page.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard.company import company
from dashboard.markup import icon, raw, show
from dashboard.visitor import enter
from ledger.records import Fact, Observation, Run
from rendering import chip, joined, markup, plain, plain_lines, span, words

#: the name of an action or a verdict, and no id
_CODE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
#: a text shows this many characters and lines before it has to be opened
BEGINNING, LINES = 260, 4
#: and at most this many then
LONGEST = 24_000

_ICONS: Mapping[str, str] = {
    "event": "bolt", "read": "database", "missing": "warning", "finding": "search_insights", "policy": "gavel",
    "prediction": "monitoring", "plan": "account_tree", "check": "rule", "decision": "person_check",
    "effect": "play_circle", "verdict": "flag",
}  # fmt: skip
#: seconds between two reads of a run that works, and of one that waits for a person or is stuck
WORKING_S, WAITING_S = 0.4, 0.9


@dataclass(frozen=True)
class Entry:
    """Observations that are shown as one entry, with the moment up to which the run had come before them."""

    seen: tuple[Observation, ...]
    before: datetime


def rail(observations: Sequence[Observation], started_at: datetime, facts: Sequence[Fact] = ()) -> Markup:
    """The whole rail. `facts` are those of the last attempt: its reads then open to their raw records."""
    if not observations:
        return markup('<p class="m-dim m-small">Nothing was observed yet.</p>')
    return markup('<ol class="m-rail">{}</ol>', joined(rail_entries(observations, started_at, facts)))


def rail_entries(observations: Sequence[Observation], started_at: datetime, facts: Sequence[Fact] = ()) -> list[Markup]:
    """Each entry by itself, so that a page that draws them one by one leaves those be that stand already."""
    found, known = list(entries(observations, started_at)), {fact.name: fact for fact in facts}
    last = next((entry for entry in reversed(found) if _is_attempt(entry)), None)
    return [_entry(entry, started_at, known if entry is last else {}) for entry in found]


def entries(observations: Sequence[Observation], started_at: datetime) -> Iterator[Entry]:
    """The observations as entries: the reads of one attempt are one, and a plan has its reasoning with it."""
    before = last = started_at
    for _, together in groupby(observations, key=_belongs):
        for seen in _split_by_plan(tuple(together)):
            if seen[-1].at != last:  # what is said at one moment was worked out together
                before, last = last, seen[-1].at
            yield Entry(seen, before)


def took(length: timedelta) -> str:
    """A length of time as a machine's: 0.12 s, 42.0 s, 7 min."""
    seconds = length.total_seconds()
    if abs(seconds) >= 90:
        return span(length)
    return f"{seconds:.2f} s" if abs(seconds) < 10 else f"{seconds:.1f} s"


def _belongs(one: Observation) -> tuple[Any, ...]:
    """What observations that may be one entry have in common: reads an attempt, sentences of reasoning a plan."""
    if one.step == "gather" and one.kind in ("read", "missing"):
        return ("reads",)
    return (one.step, "plan") if one.kind == "plan" else (one.seq,)


def _split_by_plan(same: tuple[Observation, ...]) -> Iterator[tuple[Observation, ...]]:
    if same[0].kind != "plan":
        yield same
        return
    begins = 0
    for number, one in enumerate(same, start=1):
        if "alternatives" in one.evidence:  # the plan itself comes after its reasoning
            yield same[begins:number]
            begins = number
    yield from ((one,) for one in same[begins:])


def _is_attempt(entry: Entry) -> bool:
    return entry.seen[0].step == "gather" and entry.seen[0].kind in ("read", "missing")


def _entry(entry: Entry, started_at: datetime, facts: Mapping[str, Fact]) -> Markup:
    last = entry.seen[-1]
    if _is_attempt(entry):
        kind, body = "read", _reads(entry, facts)
    elif last.kind == "plan":
        kind, body = "plan", _plan(entry.seen)
    else:
        # the clauses that bear on a case follow as labels
        kind, body = last.kind, long_text(last.text.split(":", 1)[0] if last.evidence.get("clauses") else last.text) + _more(last)
    failing = _fails(last) or any(one.kind == "missing" for one in entry.seen)
    meta = " · ".join(piece for piece in (took(last.at - started_at), plain(last.step, 40), *_source(entry)) if piece)
    return markup(
        '<li class="m-rail-item m-rail-{}{}"><span class="m-rail-dot">{}</span>'
        '<div class="m-rail-body">{}<div class="m-rail-meta">{}</div></div></li>',
        kind, " m-rail-failing" if failing else "", icon(_ICONS.get(kind, "circle"), kind), body, meta,
    )  # fmt: skip


def long_text(text: str) -> Markup:
    """A text as text; a long one shows its beginning and opens to the rest."""
    whole = plain_lines(text, LONGEST)
    lines = whole.split("\n")
    if len(whole) <= BEGINNING and len(lines) <= LINES:
        return markup('<div class="m-rail-text">{}</div>', whole)
    beginning = "\n".join(lines[:LINES])[:BEGINNING].rstrip()
    return markup(
        '<details class="m-rail-long"><summary><span class="m-rail-text">{}…</span> <span class="m-rail-open"></span></summary>'
        '<div class="m-rail-text">{}</div></details>',
        beginning, whole,
    )  # fmt: skip


def _more(one: Observation) -> Markup:
    if clauses := one.evidence.get("clauses"):
        labels = (chip(f"{plain(clause, 40)} v{clauses[clause]}") for clause in sorted(clauses, key=one.text.find))
        return markup('<div class="m-rail-chips">{}</div>', joined(labels))
    if receipt := one.evidence.get("receipt"):
        return _opened("Receipt", markup('<pre class="m-rail-raw">{}</pre>', raw(receipt)))
    return Markup("")


def _plan(seen: Sequence[Observation]) -> Markup:
    *reasons, last = seen
    pieces = [long_text(_CODE.sub(lambda code: words(code[0]), last.text))]
    if reasons:
        title = f"Its reasoning, {len(reasons)} sentence{'s' * (len(reasons) != 1)}"
        pieces.append(_opened(title, joined(long_text(one.text) for one in reasons)))
    if others := last.evidence.get("alternatives"):
        row = '<div class="m-rail-text">{} <span class="m-dim">{}</span></div>'
        rows = (markup(row, plain(one.get("option", "")), plain(one.get("lost_because", ""), 2_000)) for one in others)
        pieces.append(_opened(f"{len(others)} looked at and left", joined(rows)))
    return joined(pieces)


def _reads(entry: Entry, facts: Mapping[str, Fact]) -> Markup:
    seconds = (entry.seen[-1].at - entry.before).total_seconds()
    number, systems = len(entry.seen), len({_system(one) for one in entry.seen})
    title = f"{number} read{'s' * (number != 1)} from {systems} system{'s' * (systems != 1)}, {seconds:.2f} s"
    rows = joined(
        markup('<li class="{}">{}</li>', "m-rail-failed" if one.kind == "missing" else "", _read(one, facts))
        for one in entry.seen
    )
    # what could not be read is said without a click
    missing = joined(long_text(one.text) for one in entry.seen if one.kind == "missing")
    return _opened(title, markup('<ul class="m-rail-reads">{}</ul>', rows), "m-rail-group") + missing


def _read(one: Observation, facts: Mapping[str, Fact]) -> Markup:
    fact = facts.get(str(one.evidence.get("fact", "")))
    if fact is None or fact.status != "ok":
        return long_text(one.text)
    return _opened(one.text, markup('<pre class="m-rail-raw">{}</pre>', raw(fact.value)))


def _opened(title: str, inside: Markup, kind: str = "") -> Markup:
    return markup('<details class="m-rail-more {}"><summary>{}</summary>{}</details>', kind, plain(title, BEGINNING), inside)


def _system(one: Observation) -> str:
    return str(one.evidence.get("tool", "")).split(".")[0]


def _source(entry: Entry) -> Iterator[str]:
    """Where it comes from: systems, findings, models."""
    last = entry.seen[-1]
    if _is_attempt(entry):
        yield plain(", ".join(sorted({_system(one) for one in entry.seen} - {""})))
        return
    yield from (words(plain(last.evidence[key], 80)) for key in ("tool", "finding") if last.evidence.get(key))
    yield plain(last.evidence.get("model", ""), 80)
    if isinstance(named := last.evidence.get("facts"), Sequence) and not isinstance(named, str) and named:
        yield plain(f"from {', '.join(dict.fromkeys(words(str(name).partition('[')[0]) for name in named))}", 200)


def _fails(one: Observation) -> bool:
    """Whether it says that something did not go: a check that passed names its proposal, a done effect has a receipt."""
    if one.kind == "check":
        return "proposal" not in one.evidence
    return one.kind == "effect" and "receipt" not in one.evidence and not one.text.endswith("its part was rejected")


def kept_observations(run_id: str) -> Sequence[Observation]:
    """The rail of a run as this visitor has it, with what came since; only what is new is read."""
    kept: dict[str, list[Observation]] = st.session_state.setdefault("rails", {})
    if run_id not in kept:
        kept.clear()  # one visitor looks at one run
        kept[run_id] = []
    seen = kept[run_id]
    seen += company().ledger.observations(run_id, after=seen[-1].seq if seen else 0)
    return seen


def watch(run: Run, seen: int) -> None:
    """Draw the page again as soon as the run has said something after number `seen`, or stands otherwise."""
    if run.status == "closed":
        return

    def read() -> None:
        enter("read")
        ledger = company().ledger
        if ledger.observations(run.run_id, after=seen) or ledger.run(run.run_id).status != run.status:
            st.rerun()

    st.fragment(read, run_every=WORKING_S if run.status == "running" else WAITING_S)()


def draw_rail(observations: Sequence[Observation], started_at: datetime, facts: Sequence[Fact]) -> None:
    """Entry by entry: what stands already keeps what somebody opened in it."""
    if not observations:
        show(rail([], started_at))
    with st.container(gap=None, key="rail"):
        for entry in rail_entries(observations, started_at, facts):
            show(markup('<ol class="m-rail">{}</ol>', entry))
