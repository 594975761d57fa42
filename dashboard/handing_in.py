"""The form by which a person hands in an invoice or events."""

import streamlit as st

from dashboard.company import company
from dashboard.markup import link, refusals, show
from dashboard.visitor import enter
from errors import BadInput
from graphs.uploads import UploadReport, hand_in
from ledger.permissions import may
from ledger.records import Person
from rendering import joined, markup, plain

#: megabytes of a file
MOST_MB = 5
#: runs that are named
_MOST_SHOWN = 20
_DONE = "hand-in.done"


def draw(person: Person) -> None:
    """The form, and what became of the last file, for whoever may hand something in."""
    if not may(person, "hand_in"):
        return
    opened = company()
    invoices = opened.opening() != "ok" or opened.runtime.invoices is not None
    with st.expander(f"Hand in {'an invoice or ' if invoices else ''}events", icon=":material/upload_file:"):
        with st.form("hand-in", border=False, clear_on_submit=True):
            file = st.file_uploader(
                f"{'An invoice (UBL, CII or Factur-X), or events' if invoices else 'Events'} (JSON: a list, or one per line)",
                type=[*(["xml", "pdf"] if invoices else []), "json", "jsonl"], max_upload_size=MOST_MB, key="hand-in.file",
            )  # fmt: skip
            st.caption("What you hand in counts as requested by you: somebody else decides about it.")
            pressed = st.form_submit_button("Hand in")
        if pressed:
            st.session_state.pop(_DONE, None)
            with refusals():
                st.session_state[_DONE] = _handed_in(file.getvalue() if file else b"")
        if done := st.session_state.get(_DONE):
            show_runs(done)


def _handed_in(content: bytes) -> UploadReport:
    person, opened = enter("hand_in"), company()
    if not content:
        raise BadInput("No file was chosen, or it is empty: choose one.")
    return hand_in(opened.runtime, person, content, opened.settings.as_of_days, lambda run: opened.drive(run.run_id))


def show_runs(report: UploadReport) -> None:
    """What a file started, with links."""
    st.text(f"{len(report.begun):,} accepted, {len(report.known):,} already known.")
    row = '<div class="m-case-head"><span class="m-case-subject">{}</span>{}</div>'
    runs = (*report.begun, *report.known)[:_MOST_SHOWN]
    show(joined(markup(row, plain(run.event.subject, 80), link("run", run.run_id, run=run.run_id)) for run in runs))
