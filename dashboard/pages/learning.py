"""Lessons: what people overrule and why, the thresholds that decisions suggest, and what shadows did beside the live company."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.markup import choose_row, label, link, refusals, show
from dashboard.visitor import enter
from evals.learning.judged import JudgedProposal
from evals.learning.overruled import Overruled, OverruleRate, judged_proposals, overruled
from evals.learning.reasons import ReasonGroup, reason_groups, with_blame
from evals.learning.thresholds import thresholds
from evals.shadow.persistence import ShadowFile, shadow_names
from evals.shadow.report import report
from knowledge_index.embeddings import MiniLM
from ledger.lessons import is_lesson
from ledger.records import Decision
from rendering import clock, markup, plain, safe, share

#: rows of a table; of the last decisions, those that are looked at
_MOST_ROWS, _MOST_DECISIONS = 25, 2_000


def draw() -> None:
    """The page."""
    enter("read")
    with st.container(key="lessons"):
        learned, shadows = st.tabs(["What people overrule", "Shadows"])
        with learned, refusals():
            _learned()
        with shadows, refusals():
            _shadows()


def _learned() -> None:
    ledger = company().ledger
    decisions = ledger.all_decisions()
    if not decisions:
        st.text("Nobody has decided anything yet.")
        return
    with st.spinner("Reading decisions and their reasons…", show_time=True):
        judged, groups = _read(len(decisions), decisions[-1].decision_id)
    found = overruled(judged)
    hits = sum(one.overruled for one in found.judged)
    st.text(
        f"{_counted(len(found.judged), 'proposal')} decided, {hits:,} overruled; {found.sent_back:,} sent back with a remark."
    )
    for rate in found.as_a_rule:
        st.warning(label(rate.sentence(), 300), icon=":material/gavel:")
    _reasons(groups, judged)
    _rates(found)
    _suggested(judged)
    _waiting(decisions)


@st.cache_resource(max_entries=2, show_spinner=False)
def _read(number: int, last: str) -> tuple[list[JudgedProposal], list[ReasonGroup]]:
    """What was decided, and the groups of reasons; the same as long as nobody decides anything else."""
    context = company().runtime.context
    found = judged_proposals(company().ledger, context.catalogue, latest=_MOST_DECISIONS)
    judged = with_blame(found, context.packs, context.policies, MiniLM())
    return judged, reason_groups(judged, context.packs, context.policies, MiniLM())


def _reasons(groups: Sequence[ReasonGroup], judged: Sequence[JudgedProposal]) -> None:
    st.subheader("Why proposals are overruled")
    if not groups:
        st.caption("No proposal was overruled.")
        return
    st.caption("Reasons of one meaning together. Missing is what several of them name and the Mission does not read.")
    rows = [group_row(group) for group in groups[:_MOST_ROWS]]
    key = f"lesson_reasons_{len(judged)}"
    place = choose_row(rows, key, {"because, such as": 420, "missing": 160, "about": 130})
    if place is not None:
        runs = {one.decision.decision_id: one.run for one in judged}
        for decision, reason in list(zip(groups[place].decisions, groups[place].reasons, strict=True))[:_MOST_ROWS]:
            run = runs[decision]
            show(
                markup(
                    "<div>{} {} “{}”</div>",
                    link("run", run.run_id, run=run.run_id),
                    plain(run.event.subject, 40),
                    plain(reason, 300),
                )
            )


def group_row(group: ReasonGroup) -> dict[str, Any]:
    """A line of the table of reasons."""
    return {
        "overruled": len(group.reasons), "people": group.people, "because, such as": plain(group.says, 300),
        "about": ", ".join(group.clauses) or "not clear", "missing": ", ".join(f"{word} ({n})" for word, n in group.missing),
        "mission": group.mission,
    }  # fmt: skip


def _rates(found: Overruled) -> None:
    st.subheader("What is overruled")
    rows = [
        _rate_row(name, one) for name in ("clause", "finding", "verdict") for one in getattr(found, f"{name}s") if one.overruled
    ]
    if rows:
        st.dataframe(safe(sorted(rows, key=lambda row: -row["at least"])[:_MOST_ROWS]), hide_index=True)
    else:
        st.caption("No clause, finding or verdict was overruled.")


def _rate_row(kind: str, rate: OverruleRate) -> dict[str, Any]:
    percent = {"overruled of them": share(rate.rate), "at least": round(rate.low * 100, 1), "at most": round(rate.high * 100, 1)}
    return {"what": rate.name, "is a": kind, "decided": rate.decided, "overruled": rate.overruled, **percent}


def _suggested(judged: Sequence[JudgedProposal]) -> None:
    st.subheader("Thresholds")
    if not st.button("Answer every case again with other numbers", icon=":material/tune:", key="lesson_thresholds"):
        st.caption("Says which numbers of policies the decisions speak for. It changes nothing.")
        return
    context = company().runtime.context
    with st.spinner("Answering every case again…", show_time=True):
        found = thresholds(judged, company().ledger, context.packs, context.policies, context.catalogue)
    for one in found.evidence:
        (st.caption if one.because else st.success)(label(one.sentence(), 400))
    if not found.evidence:
        st.caption("No decision suggests a change of a threshold.")


def _waiting(decisions: Sequence[Decision]) -> None:
    settled = {one.decision_id for one in company().ledger.settlements()}
    open_ = [one for one in decisions if is_lesson(one) and one.decision_id not in settled]
    st.subheader("Lessons that nobody has settled")
    rows = [
        {"at": clock(one.at), "decided": one.kind, "by": one.by, "because": plain(one.reason, 300), "lesson": one.decision_id[:8]}
        for one in reversed(open_[-_MOST_ROWS:])
    ]
    st.caption(
        f"{_counted(len(open_), 'lesson')}. “missions lessons promote” makes a recorded exception of one (docs/learning.md)."
    )
    if rows:
        st.dataframe(safe(rows), hide_index=True)


def _shadows() -> None:
    home = company().settings.home
    if not (names := shadow_names(home)):
        st.text("No shadow was run: “missions shadow run NAME …” runs another version beside the live one (docs/shadow.md).")
        return
    name = st.selectbox("Shadow", names, key="lesson_shadow", width=320)
    found = report(ShadowFile(home, name), company().ledger)
    for sentence in found.sentences:
        st.text(sentence)
    for title, rows in (("By decision", found.matrix()), ("By Mission", found.missions())):
        if rows:
            st.subheader(title)
            st.dataframe(safe(rows), hide_index=True)
    if found.disagreements:
        st.subheader("Where it differs, most money first")
        for row in found.disagreements[:_MOST_ROWS]:
            show(
                markup(
                    "<div>{} {}: {}</div>",
                    link("run", row.run.run_id, run=row.run.run_id),
                    plain(row.run.subject, 40),
                    plain("; ".join(row.differing), 400),
                )
            )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
