"""The Explain rail that grows by itself: what is new is asked for, and the page drawn again when there is something."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from dashboard.company import company
from dashboard.markup import markup, show
from dashboard.views.rail import rail, rail_entries
from dashboard.visitor import enter
from ledger.records import Fact, Observation, Run

#: seconds between two looks at a run that works, and at one that waits for a person or is stuck
WORKING_S, WAITING_S = 0.4, 0.9


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

    def look() -> None:
        enter("read")
        ledger = company().ledger
        if ledger.observations(run.run_id, after=seen) or ledger.run(run.run_id).status != run.status:
            st.rerun()

    st.fragment(look, run_every=WORKING_S if run.status == "running" else WAITING_S)()


def draw_rail(observations: Sequence[Observation], started_at: datetime, facts: Sequence[Fact]) -> None:
    """Entry by entry: what stands already keeps what somebody opened in it."""
    if not observations:
        show(rail([], started_at))
    with st.container(gap=None, key="rail"):
        for entry in rail_entries(observations, started_at, facts):
            show(markup('<ol class="m-rail">{}</ol>', entry))
