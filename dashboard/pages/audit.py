"""The audit log in words: a sentence for every kind of row, who it was, and how a head is written down.

A row of a kind that is not known here, or whose body is not as it should be, is shown as the JSON that it is.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import streamlit as st
from markupsafe import Markup
from pydantic import ValidationError

from dashboard.company import company
from dashboard.markup import link, refusals, show
from dashboard.visitor import enter
from errors import BadInput
from graphs.approval_audit import ApprovalAudit
from ledger.audit_export import Head, examine
from ledger.records import AuditEntry
from rendering import approver, chip, clock, day, dollars, html_table, markup, plain, words

Body = Mapping[str, Any]
#: characters of a row that are shown
_LONGEST = 1_000
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: rows on a page; rows of one download, and how many of them are fetched at a time
PAGE = 50
MOST_DOWNLOADED = 50_000
_BATCH = 2_000
#: problems that are listed
_MOST_PROBLEMS = 50
#: where the pages were left on the way to older rows
_TRAIL = "audit.trail"


@dataclass(frozen=True)
class Row:
    """A row of the log as a person reads it."""

    kind: str
    mark: str
    who: str
    what: str
    digest: str


def _reason(body: Body) -> str:
    return f"“{body['reason']}”"


def _event(body: Body) -> str:
    return f"{words(body['event'])} about {body['subject']}, for the Mission {words(body['mission'])}"


def _proposal(body: Body) -> str:
    waits = "needs no approval" if body["role"] == "none" else f"waits for {approver(body['role'], body['four_eyes'])}"
    money = f", {dollars(body['money_at_stake_cents'])} at stake" if body["money_at_stake_cents"] else ""
    instead = ", in place of the one before" if body["supersedes"] else ""
    return f"proposal {body['revision']}: {words(body['verdict'])}{money}, {waits}{instead}"


def _decision(body: Body) -> str:
    return f"{body['kind']}, “{body['reason']}”; the proposal is {words(body['proposal_status'])}"


def _effect(body: Body) -> str:
    return f"step {body['step'] + 1}, {words(body['action'])} ({body['tool'].split('.')[0]}): {body['status']}"


def _person(body: Body) -> str:
    customer = f" {body['customer_id']}" if body["customer_id"] else ""
    return f"{body['name']} is {body['role']}{customer}"


def _waits(body: Body) -> str:
    return f"{body['name'] or 'a name no one has'}, after {body['failures']} wrong passwords in a row from one place"


def _admission(body: Body) -> str:
    what = {"role": f"is to be {body['role']}", "password": "is to have a one-time password"}
    asked = f", asked by {body['asked_by']}" if "asked_by" in body else ""
    return f"{body['name']} {what.get(body['kind'], 'is to have no second factor')}{asked}"


def _draft(body: Body) -> str:
    start = day(date.fromisoformat(body["in_force_from"]))
    return f"{body['policy']} version {body['version']}, from {start}: “{body['reason']}”"


@dataclass(frozen=True)
class _Kind:
    label: str
    what: Callable[[Body], str]
    #: field of the body that says who it was; empty where it was no person
    who: str = ""
    #: how it is marked, as `dashboard.markup.chip` takes it
    mark: str = ""


#: every kind of row, in the order in which they are offered
KINDS: Mapping[str, _Kind] = {
    "event_taken_in": _Kind("Event taken in", _event),
    "proposed": _Kind("Proposed", _proposal, "author"),
    "decided": _Kind("Decided", _decision, "by", "info"),
    "effect_marked": _Kind("Effect", _effect),
    "run_closed": _Kind("Run closed", lambda body: f"verdict {words(body['verdict'])}: {words(body['outcome'])}"),
    "incident_opened": _Kind("Incident", lambda body: str(body["reason"]), mark="bad"),
    "run_resumed": _Kind("Incident retried", _reason, "by", "warn"),
    "run_restarted": _Kind("Incident restarted", _reason, "by", "warn"),
    "run_abandoned": _Kind("Incident closed", _reason, "by", "warn"),
    "released": _Kind("Released", lambda body: f"proposal {body['proposal_id']}, after run {body['after']}"),
    "observed": _Kind("Observed", lambda body: f"up to observation {body['upto']}"),
    "policies_kept": _Kind("Policies in force", lambda body: f"book {body['book_id']}", "by", "info"),
    "person_added": _Kind("Person added", _person),
    "password_changed": _Kind("Password changed", lambda body: f"{body['name']} chose another password", "name"),
    "password_reset": _Kind("Password reset", lambda body: f"a one-time password for {body['name']}", "by"),
    "signed_in": _Kind("Signed in", lambda body: str(body["name"]), "name"),
    "signed_out": _Kind("Signed out", lambda body: str(body["name"]), "name"),
    "sessions_ended": _Kind("Sessions ended", lambda body: f"of {body['name']}", "by"),
    "account_locked": _Kind("Sign-in waits", _waits),
    "second_factor_added": _Kind("Second factor", lambda body: f"{body['name']} added one", "name"),
    "second_factor_shown": _Kind("Second factor asked for", lambda body: f"{body['name']} is to add one", "name"),
    "second_factor_removed": _Kind("No second factor", lambda body: f"of {body['name']}", "by"),
    "admission_asked": _Kind("Change asked for", _admission, "by"),
    "admission_confirmed": _Kind("Change confirmed", _admission, "by", "info"),
    "admission_refused": _Kind("Change refused", _admission, "by"),
    "admission_lapsed": _Kind("Change lapsed", _admission),
    "policy_drafted": _Kind("Policy drafted", _draft, "by"),
    "policy_draft_agreed": _Kind("Draft agreed to", _draft, "by", "info"),
    "policy_put_in_force": _Kind("Policy in force", _draft, "by", "info"),
    "policy_draft_withdrawn": _Kind("Draft withdrawn", _draft, "by"),
    "lesson_promoted": _Kind("Lesson promoted", lambda body: f"to {body['dataset']}", "by"),
    "lesson_dropped": _Kind("Lesson dropped", _reason, "by"),
    "dead_letter_kept": _Kind("Dead letter", lambda body: f"{body['letter_id']}, from {body['source']}"),
    "dead_letter_taken_in": _Kind("Dead letter taken in", lambda body: f"{body['letter_id']}: “{body['reason']}”", "by"),
    "dead_letter_dropped": _Kind("Dead letter dropped", lambda body: f"{body['letter_id']}: “{body['reason']}”", "by"),
    "event_source_added": _Kind("Event source added", lambda body: str(body["name"]), "by"),
    "event_source_bounded": _Kind("Event source bounded", lambda body: str(body["name"]), "by"),
    "event_source_ended": _Kind("Event source ended", lambda body: str(body["name"]), "by"),
    "powers_kept": _Kind("Above all grants", lambda body: "; ".join(body["powers"])),
    "feed_advanced": _Kind("Feed read", lambda body: f"{body['name']}, up to {body['cursor']}"),
}


def row(entry: AuditEntry) -> Row:
    """A row of the log in words."""
    kind = KINDS.get(entry.kind) or _Kind(plain(words(entry.kind), 60), _json)
    try:
        what = kind.what(entry.body)
    except (KeyError, TypeError, ValueError, AttributeError):
        what = _json(entry.body)
    return Row(kind.label, kind.mark, plain(entry.body.get(kind.who, ""), 80), plain(what, _LONGEST), entry.digest[:10])


def _json(body: Body) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, default=str)


def table(entries: Iterable[AuditEntry]) -> Markup:
    """Rows of the log as a table."""
    columns = {"Row": "m-num", "When": "m-num m-left", "Kind": "", "Run": "", "Who": "", "What": ""}
    return html_table("m-table m-audit", {**columns, "Digest": "m-mono m-dim"}, map(_cells, entries))


def _cells(entry: AuditEntry) -> Sequence[Any]:
    one = row(entry)
    run = link("run", entry.run_id, run=entry.run_id) if entry.run_id else ""
    digest = markup('<span title="{}">{}</span>', entry.digest, one.digest)
    return f"{entry.seq:,}", clock(entry.at, with_seconds=True), chip(one.kind, one.mark), run, one.who, one.what, digest


def line(entry: AuditEntry) -> str:
    """A row as a line of JSON, with everything that its digest covers."""
    return json.dumps({**asdict(entry), "at": entry.at.isoformat()}, ensure_ascii=False)


def head_text(head: tuple[int, str]) -> str:
    """A head of the log, as it is kept elsewhere."""
    return json.dumps({"seq": head[0], "digest": head[1]}) + "\n"


def parse_head(text: str) -> tuple[int, str] | None:
    """What `head_text` wrote, `number digest`, or a head.json, of whose signature nothing is said here; None for nothing.

    Raises BadInput for anything else.
    """
    if not text.strip():
        return None
    with suppress(ValidationError):
        exported = Head.model_validate_json(text)
        return exported.seq, exported.digest
    numbers, digests = re.findall(r"(?<![0-9a-f])\d{1,18}(?![0-9a-f])", text), _DIGEST.findall(text.lower())
    if len(text) > 500 or len(numbers) != 1 or len(digests) != 1:
        raise BadInput("A head is the number of a row and its digest of 64 digits: paste it as it was downloaded.")
    return int(numbers[0]), digests[0]


def result_of(problems: list[str], head: tuple[int, str], against: tuple[int, str] | None) -> str:
    """The result of a verification, in a sentence."""
    if not problems:
        until = f", and row {against[0]:,} is the exported one" if against else ""
        return f"The audit log is intact: {head[0]:,} rows{until}."
    return f"The audit log is not intact: {len(problems):,} thing{'' if len(problems) == 1 else 's'} found."


def draw() -> None:
    """The log, for those who may search it."""
    person = enter("search_audit")
    head = company().ledger.audit_head()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox(
            "Kind", ["", *KINDS], format_func=lambda kind: KINDS[kind].label if kind else "Every kind", key="kind",
            bind="query-params", on_change=_newest, width=220,
        )  # fmt: skip
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
        newest = before is None or not st.session_state.get(_TRAIL)
        st.button("Newer", icon=":material/chevron_left:", disabled=newest, on_click=_newer)
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
    with refusals():
        against = parse_head(pasted)
        with st.spinner("Verifying every row…", show_time=True):
            here = company()
            also = ApprovalAudit.of(here.settings, here.desk.policies_kept(limit=None))
            examined = examine(here.ledger, against, also=also)
            outside, compared = here.heads.compare(here.ledger)
        st.caption(f"{also.summary()} {compared}")
        problems = [*outside, *examined.problems]
        sentence = result_of(problems, examined.end, against)
        if not problems:
            st.success(sentence, icon=":material/verified:")
            return
        st.error(sentence, icon=":material/gpp_bad:")
        for problem in problems[:_MOST_PROBLEMS]:
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
    lines = []
    for start in range(first, last + 1, _BATCH):  # numbers that were deleted are left out
        batch = company().desk.audit_page(min(start + _BATCH, last + 1), _BATCH)
        lines += [line(entry).encode() + b"\n" for entry in reversed(batch) if entry.seq >= start]
    return b"".join(lines)
