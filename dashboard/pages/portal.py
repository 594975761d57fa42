"""The portal: a customer writes what happened, and follows the answer. It shows their own messages and nothing else."""

from datetime import UTC, datetime
from uuid import uuid4

import streamlit as st

from dashboard.branding import accent
from dashboard.company import company
from dashboard.markup import show
from dashboard.text import label, span
from dashboard.views.portal import MOST_AN_HOUR as MOST
from dashboard.views.portal import Conversation, brand_style, conversation, drawn, heading, wait_of, zone_of
from dashboard.visitor import enter
from errors import MissionsError, Refused
from graphs.intake import MOST_PHOTOS, customer_message
from ledger.arrivals import Bounds, Origin
from ledger.records import Person

#: messages that are shown at first, and more at each click
PAGE = 10
#: seconds between looks while something is open
TICK = 1.5

#: Session state. What is sent under one submission is one message, however often it arrives.
_SUBMISSION, _DRAFT, _SHOWN, _CLOSED = "portal.submission", "portal.draft", "portal.shown", "portal.closed"


def draw() -> None:
    """The page."""
    person = enter("write_in")
    brand = company().settings
    with st.container(key="portal"):
        show(brand_style(accent(brand.brand_color)) + heading(brand.brand_name, person.name))
        _write(person)
        live = any(one.is_open for one in _conversations(person))
        st.fragment(_follow, run_every=TICK if live else None)(live)


def _write(person: Person) -> None:
    """The form. It is another one after each message, so that what was clicked twice finds nothing to send."""
    submission = st.session_state.setdefault(_SUBMISSION, uuid4().hex)
    draft: Conversation | None = st.session_state.get(_DRAFT)
    with st.form(f"write-{submission}", border=False):
        text = st.text_area(  # without max_chars, which would cut what is pasted, and not say so
            "Your message",
            value=f"{draft.wrote}\n\n" if draft else "",
            placeholder="I was charged twice for order #4471",
            height=130,
            key=f"text-{submission}",
        )
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
            photos = st.number_input(
                "Photos you have of it", 0, MOST_PHOTOS, draft.photos if draft else 0, key=f"photos-{submission}", width=150
            )
            sent = st.form_submit_button("Send", type="primary", icon=":material/send:")
    if not sent:
        return
    try:
        with st.spinner("Sending your message…"):
            _send(enter("write_in"), text or "", int(photos or 0), submission)
    except MissionsError as error:
        st.error(label(error, 500), icon=":material/error:")
    else:
        _new_form(None)
        st.rerun()


def _send(person: Person, text: str, photos: int, submission: str) -> None:
    """Take the message in, and let its Mission begin. Raises BadInput or Refused where it is not to be sent."""
    now = datetime.now(UTC)
    recent = company().desk.messages(_customer(person), limit=MOST)
    wait = wait_of((run for run in recent if run.event.source_id != f"portal:{submission}"), now)
    if wait is not None:
        raise Refused(f"You have sent {MOST} messages within an hour. Write again in {span(wait)}.")
    runtime = company().runtime
    event = customer_message(runtime.context.packs, person, text, photos, submission, now)
    run = runtime.take_in(event, origin=Origin(f"portal {person.customer_id}", Bounds(hourly=MOST)))
    company().drive(run.run_id)


def _new_form(draft: Conversation | None) -> None:
    st.session_state[_DRAFT] = draft
    st.session_state[_SUBMISSION] = uuid4().hex


def _follow(live: bool) -> None:
    """The conversations, the newest first; drawn again and again while something is open."""
    person = enter("write_in")
    shown = _conversations(person)
    if any(one.is_open for one in shown) != live:
        st.rerun()
    now, zone = datetime.now(UTC), zone_of(st.context.timezone)
    if not shown:
        st.caption("You have not written to us yet. What you write, and our answers, will stand here.")
    for number, one in enumerate(shown):
        show(drawn(one, company().settings.brand_name, now, zone))
        if one.asks and st.button("Answer", key=f"answer-{number}-{one.ticket}", icon=":material/reply:"):
            _new_form(one)
            st.rerun()
    if len(shown) == _limit() and st.button("Earlier messages", icon=":material/expand_more:"):
        st.session_state[_SHOWN] = _limit() + PAGE
        st.rerun()


def _conversations(person: Person) -> list[Conversation]:
    """What this customer sees. A run that is closed stays as it is, and is looked up once a session."""
    customer_id, closed = _customer(person), st.session_state.setdefault(_CLOSED, {})
    shown = []
    for run in company().desk.messages(customer_id, limit=_limit()):
        known = closed.get((customer_id, run.run_id))
        one = known or conversation(run, company().ledger.effects(run.run_id), customer_id)
        if run.status == "closed":
            closed[customer_id, run.run_id] = one
        shown.append(one)
    return shown


def _limit() -> int:
    return int(st.session_state.get(_SHOWN, PAGE))


def _customer(person: Person) -> str:
    """Whose messages they see. Raises Refused for a customer of nobody's records."""
    if not person.customer_id:
        raise Refused("Your account is not connected to a customer yet: ask us to do so.")
    return person.customer_id
