"""The audit log, on a tab of Incidents & audit: read, filtered, verified, taken away."""

from collections.abc import Iterator

import streamlit as st

from dashboard.company import company
from dashboard.markup import show
from dashboard.text import label
from dashboard.views.audit import KINDS, head_text, line, parse_head, table, told
from dashboard.visitor import enter
from errors import BadInput, MissionsError
from graphs.second_look import SecondLook
from ledger.auditing import examine
from ledger.records import AuditEntry

#: rows on a page; rows of one download, and how many of them are fetched at a time
PAGE = 50
MOST_DOWNLOADED = 50_000
_BATCH = 2_000
#: broken rows that are listed
_MOST_TOLD = 50
#: where the pages were left on the way to older rows
_TRAIL = "audit.trail"


def draw() -> None:
    """The log, for those who may search it."""
    person = enter("search_audit")
    head = company().ledger.audit_head()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox(
            "Kind", ["", *KINDS], format_func=_kind_label, key="kind", bind="query-params", on_change=_newest, width=220
        )
        text = st.text_input("Run", key="run", bind="query-params", on_change=_newest, icon=":material/search:", width=240)
        st.space("stretch")
        _verification(head)
        _downloads(head, person.name)
    before = _before()
    rows = company().desk.audit_page(before, PAGE + 1, _run_id(text or ""), kind or "")
    if rows:
        show(table(rows[:PAGE]))
    else:
        st.caption("The audit log has no such row." if before or kind or text else "The audit log is empty.")
    _pager(rows, before)


def _kind_label(kind: str) -> str:
    return KINDS[kind].label if kind else "Every kind"


def _run_id(text: str) -> str:
    """The run that is meant. The log outlives the runs: what no run begins with is taken as it stands."""
    try:
        return company().ledger.run(text.strip()).run_id if text.strip() else ""
    except BadInput:
        return text.strip()


def _before() -> int | None:
    given = st.query_params.get("before", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


def _pager(rows: list[AuditEntry], before: int | None) -> None:
    older = len(rows) > PAGE
    if not older and before is None:
        return
    with st.container(horizontal=True):
        st.button("Newest", icon=":material/first_page:", disabled=before is None, on_click=_newest)
        st.button(
            "Newer", icon=":material/chevron_left:", disabled=before is None or not st.session_state.get(_TRAIL), on_click=_newer
        )
        st.button(
            "Older", icon=":material/chevron_right:", icon_position="right", disabled=not older,
            on_click=_older, args=(before, rows[PAGE - 1].seq if older else 0),
        )  # fmt: skip


def _newest() -> None:
    st.session_state[_TRAIL] = []
    st.query_params.pop("before", None)


def _older(before: int | None, last: int) -> None:
    st.session_state.setdefault(_TRAIL, []).append(before)
    st.query_params["before"] = str(last)


def _newer() -> None:
    before = st.session_state[_TRAIL].pop()
    if before is None:
        _newest()
    else:
        st.query_params["before"] = str(before)


def _verification(head: tuple[int, str]) -> None:
    with st.popover("Verify", icon=":material/verified_user:"):
        st.caption(
            "Every row is digested together with the digest of the row before it, and the ledger must be as the log says. "
            "With a head that was kept elsewhere, a cut tail is found too."
        )
        pasted = st.text_area("Exported head (optional)", key="audit-head", height=80, placeholder='{"seq": …, "digest": "…"}')
        if st.button(f"Verify the whole chain ({head[0]:,} rows)", type="primary"):
            _verify(pasted or "")


def _verify(pasted: str) -> None:
    enter("search_audit")
    try:
        against = parse_head(pasted)
        with st.spinner("Verifying every row…", show_time=True):
            here = company()
            look = SecondLook.of(here.settings, here.desk.policies_kept(limit=None))
            examined = examine(here.ledger, against, also=look)
            outside, compared = here.heads.compare(here.ledger)
    except MissionsError as error:
        st.error(label(error, 500), icon=":material/error:")
        return
    st.caption(f"{look.sentence()} {compared}")
    problems = [*outside, *examined.problems]
    sentence = told(problems, examined.end, against)
    if not problems:
        st.success(sentence, icon=":material/verified:")
        return
    st.error(sentence, icon=":material/gpp_bad:")
    for problem in problems[:_MOST_TOLD]:
        st.text(problem)


def _downloads(head: tuple[int, str], name: str) -> None:
    with st.popover("Download", icon=":material/download:"):
        st.caption("Keep the head outside of this system: against it, a cut tail of the log is found.")
        st.download_button(
            f"Head (row {head[0]:,})", head_text(head), f"audit-head-{head[0]}.json", "application/json", on_click="ignore"
        )
        st.caption(f"The log as JSONL, one row a line, at most {MOST_DOWNLOADED:,} rows a file.")
        parts = max(1, -(-head[0] // MOST_DOWNLOADED))
        part = int(st.number_input("File", 1, parts, parts)) if parts > 1 else 1
        first, last = (part - 1) * MOST_DOWNLOADED + 1, min(part * MOST_DOWNLOADED, head[0])
        st.download_button(
            f"Rows {first:,} to {last:,}", lambda: _file(name, first, last), f"audit-{first}-{last}.jsonl",
            "application/jsonl", on_click="ignore", disabled=not head[0],
        )  # fmt: skip


def _file(name: str, first: int, last: int) -> bytes:
    """Rows as JSONL: made when it is asked for, if the person may search the log then."""
    company().desk.require(name, "search_audit")
    return b"".join(line(entry).encode() + b"\n" for entry in _rows(first, last))


def _rows(first: int, last: int) -> Iterator[AuditEntry]:
    """Rows by number, in order, a batch at a time; numbers that were deleted are left out."""
    for start in range(first, last + 1, _BATCH):
        batch = company().desk.audit_page(min(start + _BATCH, last + 1), _BATCH)
        yield from (entry for entry in reversed(batch) if entry.seq >= start)
