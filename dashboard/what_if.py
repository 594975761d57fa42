"""What if, without a draft: values, tiers and packs are changed for a replay of recorded exceptions, and for nothing else."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard.company import company
from dashboard.markup import choose_row, refusals, show, show_refused
from dashboard.visitor import enter
from errors import BadInput
from evals.what_if.answer import Flip, ReplayedAnswer, Way, WhatIf
from knowledge_index.changing import read_change
from ledger.canonical import utc_now
from ledger.permissions import may
from ledger.records import Person
from rendering import chip, decimals, dollars, html_table, in_words, joined, major, markup, plain, words
from settings import company_currency
from systems.catalogue import OWN_SYSTEM

#: of the changes; bytes of a pack, and how many packs at once
MOST_CHARACTERS, MOST_BYTES, MOST_PACKS = 4_000, 1_000_000, 20
_FOUND = "what-if.found"
#: height of a table of flips in pixels, at most
TALLEST = 420
#: what became of cases, and how it looks
WAYS: Mapping[Way, tuple[str, str]] = {
    "now_escalated": ("now escalated", "warn"),
    "no_longer_escalated": ("no longer escalated", "info"),
    "other_verdict": ("another verdict", "info"),
    "other_actions": ("same verdict, other actions", "info"),
    "more_approval": ("same plan, more approval", "warn"),
    "less_approval": ("same plan, less approval", "warn"),
}
#: of broken cases these many are named
MOST_BROKEN = 3


def draw(person: Person) -> None:
    """The form, and what was found last."""
    if not may(person, "draft_policy"):
        st.caption("Analysts and those who decide about policies ask what a change would do.")
        return
    with st.form("what-if"):
        written = st.text_area(
            "Values to change, one per line",
            placeholder=_examples(), max_chars=MOST_CHARACTERS, key="what-if.values",
        )  # fmt: skip
        packs = st.file_uploader(
            "Packs that would take the place of those of their Missions", type="yaml", accept_multiple_files=True,
            max_upload_size=1, key="what-if.packs",
        )  # fmt: skip
        asked = st.form_submit_button("Replay recorded exceptions", type="primary", icon=":material/replay:")
    if asked:
        enter("draft_policy")
        st.session_state.pop(_FOUND, None)
        with refusals(show_refused):
            st.session_state[_FOUND] = _ask(written, [file.getvalue() for file in packs or ()])
    if found := st.session_state.get(_FOUND):
        show_found(found, "what-if.flips", "the change")


def _examples() -> str:
    """Changes of values and tiers that there are here."""
    context = company().runtime.context
    clauses = context.policies.period(utc_now()).clauses.values()
    numbers = (f"{one.id}.{name}={value}" for one in clauses for name, value in one.values.items() if type(value) in (int, float))
    actions = (f"tier.{name}=automate" for name, action in context.catalogue.items() if action.system != OWN_SYSTEM)
    return "\n".join([*islice(numbers, 2), *islice(actions, 1)])


def _ask(written: str, packs: list[bytes]) -> WhatIf:
    what_if = company().tools.what_if
    if what_if is None:
        raise BadInput("This dashboard was opened without recorded exceptions to replay.")
    changes: dict[str, Any] = dict(read_change(line) for line in written.splitlines() if line.strip())
    if not changes and not packs:
        raise BadInput("Nothing is changed; write a value as CLAUSE.NAME=VALUE, or give a pack.")
    if len(packs) > MOST_PACKS or any(len(pack) > MOST_BYTES for pack in packs):
        raise BadInput(f"Give at most {MOST_PACKS} packs, each of at most {MOST_BYTES:,} bytes.")
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, pack in enumerate(packs, start=1):
            (folder / f"pack-{number}.yaml").write_bytes(pack)
        try:
            return replayed(partial(what_if, changes=changes, packs=folder if packs else None))
        except BadInput as error:  # whoever gave the pack does not know where it was put
            raise BadInput(str(error).replace(f"{folder}/", "")) from error


def replayed(ask: Callable[..., WhatIf]) -> WhatIf:
    """The answer to a question that takes seconds, which is asked with `on_progress`. Raises what that raises."""
    bar = st.progress(0.0, "Replaying recorded exceptions")

    def on_progress(done: int, total: int) -> None:
        bar.progress(done / total, f"Replaying recorded exceptions, as it is and as it would be: {done:,} of {total:,} replays")

    try:
        return ask(on_progress=on_progress)
    finally:
        bar.empty()


def show_found(found: WhatIf, key: str, change: str) -> None:
    """Show what was found; `change` is what both sides differ by, such as "the draft"."""
    show(headline(found) + broken(found) + money_table(found))
    if not found.flips:
        return
    code = company_currency()
    money = st.column_config.NumberColumn(format="dollar" if code == "USD" else f"%.{decimals(code)}f {code}", width=85)
    columns = {
        "Case": 105, "Subject": 75, "Mission": 145, "Verdict": 190, "Approval": 150, "At stake now": money,
        "At stake then": money, "Because of": 75,
    }  # fmt: skip
    height = min(TALLEST, 38 + 29 * len(found.flips))
    chosen = choose_row(flip_rows(found.flips), key, columns, row_height=29, height=height)
    if chosen is None:
        st.caption("Choose a case to see both plans.")
        return
    flip = found.flips[chosen]
    sides = (("with the present version", flip.before, flip.after), (f"with {change}", flip.after, flip.before))
    for column, side in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            show(answer_card(*side))


def moved(cents: int) -> str:
    """A change of money with its sign: +$12.00, ±$0.00."""
    return f"{'+' if cents > 0 else '±' if not cents else ''}{dollars(cents)}"


def headline(found: WhatIf) -> Markup:
    """How many flip, which way, and what money is at stake before and after."""
    of = f"of {found.cases:,} recorded exceptions would get a different answer"
    chips = joined(chip(f"{count:,} {WAYS[way][0]}", WAYS[way][1]) for way, count in found.ways.items())
    before, after = dollars(found.money_at_stake_before_cents), dollars(found.money_at_stake_after_cents)
    stake = f"{before} → {after} at stake over all of them"
    return markup(
        '<div class="k-figures"><div><b>{}</b> {}<div class="k-chips">{}</div></div>'
        '<div><b>{}</b> <span class="m-dim">{}</span></div></div>',
        f"{len(found.flips):,}", of, chips, moved(found.moved_cents), stake,
    )  # fmt: skip


def broken(found: WhatIf) -> Markup:
    """Cases that could not be answered any more; empty where there is none."""
    if not found.broken:
        return Markup("")
    named = joined(
        markup("<li>{} ({}): {}</li>", plain(one.case_id, 80), words(one.mission), plain(one.error, 200))
        for one in found.broken[:MOST_BROKEN]
    )
    head = f"{len(found.broken):,} recorded exceptions could not be answered any more, such as:"
    return markup('<div class="k-broken">{}<ul>{}</ul></div>', head, named)


def money_table(found: WhatIf) -> Markup:
    """What the plans move by kind of money, before and after: only kinds that change; empty where none does."""
    rows = [
        (words(row["kind"]), dollars(row["before_cents"]), dollars(row["after_cents"]), moved(row["moved_cents"]))
        for row in found.money_rows()
        if row["moved_cents"]
    ]
    columns = {"Money that plans move": "", "Now": "m-num", "Then": "m-num", "Moves": "m-num"}
    return html_table("m-table k-money", columns, rows) if rows else Markup("")


def flip_rows(flips: Sequence[Flip]) -> list[dict[str, Any]]:
    """A row a flip, for a table; money in major units."""
    return [
        {
            "Case": plain(flip.case_id, 80), "Subject": plain(flip.subject, 80), "Mission": words(flip.mission),
            "Verdict": flip.verdicts,
            "Approval": flip.approvals,
            "At stake now": major(flip.before.money_at_stake_cents), "At stake then": major(flip.after.money_at_stake_cents),
            "Because of": ", ".join(flip.because_of) or "not told",
        }
        for flip in flips
    ]  # fmt: skip


def answer_card(title: str, answer: ReplayedAnswer, other: ReplayedAnswer) -> Markup:
    """One side of a flip: verdict, plan, approval; actions that the other side has not are marked."""
    others = [step.action for step in other.actions]
    actions = joined(
        markup(
            '<li{}>{} <span class="m-dim">{}</span></li>',
            Markup("" if step.action in others else ' class="k-other"'), words(step.name), in_words("", step.args),
        )
        for step in answer.actions
    )  # fmt: skip
    money = f"{dollars(answer.money_at_stake_cents)} at stake · approval: {answer.approval}"
    template = '<div class="k-answer"><div class="m-dim m-small">{}</div><b>{}</b><div class="m-small">{}</div><ol>{}</ol></div>'
    return markup(template, title, words(answer.verdict), money, actions)
