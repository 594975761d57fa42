"""The portal: a customer writes what happened, and follows the answer. It shows their own messages and nothing else.

No model and no system is asked about the text of a message here: it is data, whatever stands in it.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

import streamlit as st
from markupsafe import Markup

from dashboard.branding import accent
from dashboard.company import company
from dashboard.markup import icon, redrawn, show
from dashboard.visitor import enter
from errors import BadInput, MissionsError, Refused
from ledger.inbox import EventOrigin, SourceBounds
from ledger.permissions import require
from ledger.records import Effect, Event, Person, Run
from nodes.pack import Pack, Portal
from rendering import clock, joined, markup, plain, plain_lines, span
from systems.catalogue import Catalogue

Stage = Literal["looking", "deciding", "delayed", "answered", "handed_over", "declined"]

#: characters of a message, and photos with it
LONGEST_MESSAGE = 4_000
MOST_PHOTOS = 20
#: messages that a customer may send within an hour
MOST_AN_HOUR = 10

_SAYS: Mapping[Stage, str] = {
    "looking": "We are looking into it.",
    "deciding": "A colleague is reviewing this.",
    "delayed": "We are looking into it. It takes longer than usual.",
    "answered": "This is done.",
    "handed_over": "A colleague will write to you.",
    "declined": "We have closed this message. If something is still open, write to us again.",
}
_ICONS: Mapping[Stage, str] = {
    "looking": "search", "deciding": "person_check", "delayed": "hourglass_top",
    "answered": "check_circle", "handed_over": "forward_to_inbox", "declined": "inventory",
}  # fmt: skip
#: messages that are shown at first, and more at each click
PAGE = 10
#: seconds between drawings while something is open
TICK = 1.5
#: Session state. What is sent under one submission is one message, however often it arrives.
_SUBMISSION, _DRAFT, _SHOWN, _CLOSED = "portal.submission", "portal.draft", "portal.shown", "portal.closed"


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """One message of a customer and what came of it."""

    ticket: str
    wrote: str
    photos: int
    at: datetime
    stage: Stage
    #: what was done for them, each in a few words
    done: Sequence[str] = ()
    #: what they were written, in full
    replies: Sequence[str] = ()
    #: the reply is a question to them
    asks: bool = False

    @property
    def is_open(self) -> bool:
        """Whether something may still come of it by itself."""
        return self.stage in ("looking", "deciding", "delayed")

    @property
    def says(self) -> str:
        """Where it stands, in a sentence; empty where the reply says it."""
        return "" if self.stage == "answered" and self.replies else _SAYS[self.stage]


def conversation(run: Run, effects: Iterable[Effect], customer_id: str, portal: Portal, catalogue: Catalogue) -> Conversation:
    """What the customer sees of a run that a message of theirs started; only effects that are done count."""
    done = [effect for effect in effects if effect.status == "done"]
    known = [one for one in done if one.action in portal.done and one.args.keys() >= catalogue[one.action].args.keys()]
    told = [catalogue[one.action].sentence(one.args, portal.done[one.action]) for one in known]
    mine = [one.args for one in done if one.action == portal.reply.action and one.args.get(portal.reply.to) == customer_id]
    trigger = run.event.trigger
    return Conversation(
        ticket=plain(run.event.subject, 60),
        wrote=plain_lines(trigger.get("text") or ""),
        photos=photos if isinstance(photos := trigger.get("photos"), int) and photos > 0 else 0,
        at=run.started_at,
        stage=_stage(run),
        done=tuple(plain(one, 200) for one in told),
        replies=tuple(plain_lines(args[portal.reply.text]).strip() for args in mine if args.get(portal.reply.text)),
        asks=portal.asks is not None and run.verdict == portal.asks and run.outcome == "executed",
    )


def _stage(run: Run) -> Stage:
    if run.status != "closed":
        stages: Mapping[str, Stage] = {"running": "looking", "waiting": "deciding", "incident": "delayed"}
        return stages[run.status]
    if run.outcome == "escalated":
        return "handed_over"
    return "answered" if run.outcome in ("executed", "nothing_to_do") else "declined"


def wait_of(runs: Iterable[Run], now: datetime) -> timedelta | None:
    """How long the customer of these runs, the newest first, has to wait until their next message; None: not at all."""
    since = now - timedelta(hours=1)
    recent = [run.started_at for run in runs if run.started_at > since]
    return recent[MOST_AN_HOUR - 1] - since if len(recent) >= MOST_AN_HOUR else None


def zone_of(name: str | None) -> tzinfo:
    """The time zone that a browser names; UTC where there is no such zone."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):  # unknown, malformed, a folder
        return UTC


def moment(at: datetime, now: datetime, zone: tzinfo) -> str:
    """When something was, for somebody in this zone: without its day where it was today."""
    return clock(at, zone, with_day=at.astimezone(zone).date() != now.astimezone(zone).date())


def drawn(one: Conversation, brand: str, now: datetime, zone: tzinfo) -> Markup:
    """A conversation as HTML; every value of it is escaped."""
    photos = f" · {one.photos} photo{'s' * (one.photos != 1)}" if one.photos else ""
    head = markup('<div class="m-talk-head">{}<span>{}{}</span></div>', one.ticket, moment(one.at, now, zone), photos)
    mine = markup('<div class="m-said m-said-mine"><div class="m-text">{}</div></div>', one.wrote)
    done = joined(markup("<li>{}<span>{}</span></li>", icon("check_circle"), what) for what in one.done)
    deeds = markup('<ul class="m-deeds">{}</ul>', done) if one.done else ""
    reply = '<div class="m-said m-said-theirs"><div class="m-said-by">{}</div><div class="m-text">{}</div></div>'
    replies = joined(markup(reply, brand, text) for text in one.replies)
    stage = '<div class="m-stage m-stage-{}" role="status">{}<span>{}</span></div>'
    state = markup(stage, one.stage, icon(_ICONS[one.stage]), one.says) if one.says else ""
    return markup('<article class="m-talk">{}{}{}{}{}</article>', head, mine, replies, deeds, state)


def heading(brand: str, name: str) -> Markup:
    """The greeting of the page."""
    template = '<header class="m-portal-head"><div class="m-portal-brand">{}</div><h1>How can we help, {}?</h1></header>'
    return markup(template, brand, plain(name, 60))


def draw() -> None:
    """The page."""
    person = enter("write_in")
    brand = company().settings
    with st.container(key="portal"):
        style = markup("<style>:root {{ --m-brand: {}; }}</style>", accent(brand.brand_color))
        show(style + heading(brand.brand_name, person.name))
        try:
            pack = answering(company().runtime.context.packs)
        except MissionsError:  # what is wrong is not for customers
            st.text("We cannot take messages right now. Please try again later.")
            return
        if pack is None:
            st.text("Messages are not answered here. Please reach us as you usually do.")
            return
        _write()
        live = any(one.is_open for one in _conversations(person))
        st.fragment(_follow, run_every=TICK if live else None)(live)


def answering(packs: Mapping[str, Pack]) -> Pack | None:
    """The Mission, or part of one, that customers write to; None where there is none."""
    return next((one for pack in packs.values() for one in pack.and_parts if one.portal), None)


def _portal() -> Portal:
    pack = answering(company().runtime.context.packs)
    assert pack is not None and pack.portal is not None  # for there is a page
    return pack.portal


def _write() -> None:
    """The form. It is another one after each message, so that what was clicked twice finds nothing to send."""
    submission = st.session_state.setdefault(_SUBMISSION, uuid4().hex)
    draft: Conversation | None = st.session_state.get(_DRAFT)
    with st.form(f"write-{submission}", border=False):
        text = st.text_area(  # without max_chars, which would cut what is pasted, and not say so
            "Your message", value=f"{draft.wrote}\n\n" if draft else "", height=130, key=f"text-{submission}",
            placeholder="What happened? If it is about an order, give its number.",
        )  # fmt: skip
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
            photos = st.number_input(
                "Photos you have of it", 0, MOST_PHOTOS, draft.photos if draft else 0, key=f"photos-{submission}", width=150
            )
            sent = st.form_submit_button("Send", type="primary", icon=":material/send:")
    if not sent:
        return
    with redrawn():
        with st.spinner("Sending your message…"):
            _send(enter("write_in"), text or "", int(photos or 0), submission)
        _new_form(None)


def _send(person: Person, text: str, photos: int, submission: str) -> None:
    """Take the message in, and let its Mission begin. Raises BadInput or Refused where it is not to be sent."""
    now = datetime.now(UTC)
    recent = company().desk.messages(_customer(person), _portal().event, limit=MOST_AN_HOUR)
    wait = wait_of((run for run in recent if run.event.source_id != f"portal:{submission}"), now)
    if wait is not None:
        raise Refused(f"You have sent {MOST_AN_HOUR} messages within an hour. Write again in {span(wait)}.")
    runtime = company().runtime
    event = customer_message(runtime.context.packs, person, text, photos, submission, now)
    run = runtime.take_in(event, origin=EventOrigin(f"portal {person.customer_id}", SourceBounds(hourly=MOST_AN_HOUR)))
    company().drive(run.run_id)


def customer_message(packs: Mapping[str, Pack], writer: Person, text: str, photos: int, submission: str, at: datetime) -> Event:
    """The event of a message that `writer` sends.

    Args:
        packs: by mission; one of them has a portal.
        writer: a customer who is signed in, which verifies them as the sender.
        photos: how many the customer says that they have.
        submission: unique for what is sent once: a message that is sent twice is one event.
        at: now.

    Raises Refused to who is no customer, BadInput for a message that is empty or too long.
    """
    require(writer, "write_in")
    pack = answering(packs)
    if pack is None or pack.portal is None:
        raise BadInput("Messages are not answered here: no Mission has a portal.")
    name = pack.portal.event
    text = text.strip()
    if not any(_is_seen(character) for character in text):
        raise BadInput("Your message is empty. Write what happened.")
    if len(text) > LONGEST_MESSAGE:
        raise BadInput(f"Your message has {len(text):,} characters. Shorten it to {LONGEST_MESSAGE:,}.")
    if not 0 <= photos <= MOST_PHOTOS:
        raise BadInput(f"There can be between 0 and {MOST_PHOTOS} photos.")
    ticket = f"T-{submission[:10].upper()}"
    trigger = {
        "event": name, "ticket_id": ticket, "customer_id": writer.customer_id,
        "text": text, "photos": photos, "sender_verified": True,
    }  # fmt: skip
    subject = pack.trigger.events[name].format_map(trigger)
    return Event(
        source_id=f"portal:{submission}", name=name, mission=pack.mission, subject=subject,
        trigger=trigger, as_of=at, requested_by=writer.name,
    )  # fmt: skip


def _is_seen(character: str) -> bool:
    """Neither a blank, a control or format character, nor half of one."""
    return unicodedata.category(character)[0] not in "ZC"


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
    portal, catalogue = _portal(), company().runtime.context.catalogue
    shown = []
    for run in company().desk.messages(customer_id, portal.event, limit=_limit()):
        known = closed.get((customer_id, run.run_id))
        one = known or conversation(run, company().ledger.effects(run.run_id), customer_id, portal, catalogue)
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
