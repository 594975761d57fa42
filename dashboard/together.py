"""Several like proposals decided together: each by itself in the ledger, with one reason and the sum shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from markupsafe import Markup

from dashboard.company import company
from dashboard.deciding import WHY, decide, keep_message, show_outcome
from dashboard.markup import dollars, html_table, label, markup, plain, show, words
from dashboard.views.card import who_approves
from dashboard.visitor import visitor
from errors import MissionsError
from ledger.permissions import may
from ledger.queries import QueueRow
from ledger.records import DecisionKind, Person

_REASON = "why-together"


@dataclass(frozen=True)
class Together:
    """Several proposals that are to be decided at once; money in cents."""

    rows: Sequence[QueueRow]
    money_cents: int
    #: verdict and mission, if all are alike; the reason why not, otherwise
    verdict: str = ""
    unlike: str = ""


def together(rows: Sequence[QueueRow]) -> Together:
    """What several proposals come to. Only like ones are: of one mission, with one verdict, in a pack's words."""
    money = sum(row.money_at_stake_cents for row in rows)
    kinds = {(row.mission, row.verdict): row.subject for row in rows}
    if len(kinds) > 1:
        named = ", ".join(f"{words(verdict)} ({plain(subject, 40)})" for (_, verdict), subject in list(kinds.items())[:3])
        return Together(rows, money, unlike=f"Only like proposals are decided together, and these differ: {named}.")
    if written := [plain(row.subject, 40) for row in rows if row.written_by_model]:
        alone = f"A model wrote a message in {', '.join(written[:3])}: open what a model wrote, and decide about it by itself."
        return Together(rows, money, unlike=alone)
    return Together(rows, money, verdict=rows[0].verdict if rows else "")


def decide_together(me: Person, run_ids: Sequence[str]) -> None:
    """What is ticked, its sum, and one decision about all of it."""
    chosen = together(company().desk.waiting(run_ids))
    show(_summary(chosen))
    done, refused = st.session_state.pop("outcome_together", ("", ()))
    show_outcome("", done)
    for sentence in refused:
        show_outcome(sentence, "")
    if st.button("Untick all", icon=":material/deselect:", type="tertiary"):
        st.session_state["ticked"] = []
        st.rerun()
    if chosen.unlike:
        st.warning(label(chosen.unlike, 800), icon=":material/rule:")
        return
    if not may(me, "decide") or not chosen.rows:
        return
    with st.container(key="reason"):
        st.text_input("Reason", key=_REASON, max_chars=500, placeholder=WHY, label_visibility="collapsed")
    number, sum_ = len(chosen.rows), dollars(chosen.money_cents)
    with st.container(horizontal=True, gap="xsmall", key="decide"):
        for title, kind, icon, shortcut in (
            (f"Approve {number} · {label(sum_)}", "approve", "done_all", "A"),
            (f"Reject {number}", "reject", "close", "X"),
            (f"Ask again for {number}", "respond", "replay", "L"),
        ):
            st.button(
                title, key=f"{kind}-together", on_click=_pressed, args=(chosen, kind), icon=f":material/{icon}:",
                shortcut=shortcut, type="primary" if kind == "approve" else "secondary",
            )  # fmt: skip


def _pressed(chosen: Together, kind: DecisionKind) -> None:
    """One decision each about what was on the screen; those that are refused stay ticked, with the reason."""
    person = visitor()
    if person is None:
        return
    reason, refused, left = st.session_state.get(_REASON) or "", [], []
    for row in chosen.rows:
        try:
            decide(row.run_id, kind, person.name, reason, row.digest, {"remark": reason} if kind == "respond" else {})
        except MissionsError as error:
            refused.append(f"{row.subject}: {error}")
            left.append(row.run_id)
    number = len(chosen.rows) - len(left)
    done = f"{number} of {len(chosen.rows)} decided: {kind}." if number else ""
    if done:
        st.session_state[_REASON] = ""
    if len(left) > 1:
        st.session_state["ticked"], st.session_state["outcome_together"] = left, (done, refused)
        return
    st.session_state["ticked"] = []
    # back to one proposal: the one that was refused, or the first of those decided
    st.query_params["run"] = left[0] if left else chosen.rows[0].run_id
    keep_message(st.query_params["run"], " ".join(refused), done)


def _summary(chosen: Together) -> Markup:
    rows = (
        (markup("<b>{}</b>", plain(row.subject, 60)), words(row.verdict), who_approves(row.role, row.four_eyes, row.approved_by),
         dollars(row.money_at_stake_cents))
        for row in chosen.rows
    )  # fmt: skip
    alike = markup(' <span class="c-verdict">{}</span>', words(chosen.verdict)) if chosen.verdict else ""
    foot = '<tfoot><tr><td colspan="3"><b>in all</b></td><td class="m-num"><b>{}</b></td></tr></tfoot>'
    columns = {"subject": "", "verdict": "", "waits for": "", "at stake": "m-num"}
    table = html_table("m-table", columns, rows, foot=markup(foot, dollars(chosen.money_cents)))
    return markup('<div class="c-head"><h2>{} together{}</h2></div>{}', len(chosen.rows), alike, table)
