"""What a customer sees of a message of theirs: the words of both sides and what was done, and nothing of how it came about."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo

from markupsafe import Markup

from dashboard.markup import icon, joined, markup
from dashboard.text import dollars, plain, plain_lines
from ledger.records import Effect, Run

Stage = Literal["looking", "deciding", "delayed", "answered", "handed_over", "declined"]

#: messages that a customer may send within an hour
MOST_AN_HOUR = 10

#: What was done, in a customer's words, by action. An action that is not here is told to no customer.
_DONE: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "refund_charge": lambda args: f"Refund of {dollars(args['amount_cents'])}",
    "reship_order": lambda args: f"Order {args['order_id']} is sent again",
    "create_return_label": lambda args: f"Return label for order {args['order_id']}",
    "send_password_reset": lambda _: "Link to set a new password sent to you",
    "change_subscription": lambda _: "Subscription cancelled",
}
#: The action by which the customer is written to.
_REPLY = "send_message"
#: The verdict that asks the customer something.
_ASKS = "ask_customer"

_SAYS: Mapping[Stage, str] = {
    "looking": "We are looking into it.",
    "deciding": "Somebody decides about it.",
    "delayed": "We are looking into it. It takes longer than usual.",
    "answered": "This is done.",
    "handed_over": "A colleague will write to you.",
    "declined": "We have closed this message. If something is still open, write to us again.",
}
_ICONS: Mapping[Stage, str] = {
    "looking": "search", "deciding": "person_check", "delayed": "hourglass_top",
    "answered": "check_circle", "handed_over": "forward_to_inbox", "declined": "inventory",
}  # fmt: skip


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


def conversation(run: Run, effects: Iterable[Effect], customer_id: str) -> Conversation:
    """What the customer sees of a run that a message of theirs started; only effects that are done count."""
    done = [effect for effect in effects if effect.status == "done"]
    mine = [effect for effect in done if effect.action == _REPLY and effect.args.get("customer_id") == customer_id]
    trigger = run.event.trigger
    return Conversation(
        ticket=plain(run.event.subject, 60),
        wrote=plain_lines(trigger.get("text") or ""),
        photos=_count(trigger.get("photos")),
        at=run.started_at,
        stage=_stage(run),
        done=tuple(plain(_DONE[effect.action](effect.args), 200) for effect in done if effect.action in _DONE),
        replies=tuple(plain_lines(effect.args["text"]).strip() for effect in mine if effect.args.get("text")),
        asks=run.verdict == _ASKS and run.outcome == "executed",
    )


def _stage(run: Run) -> Stage:
    if run.status != "closed":
        stages: Mapping[str, Stage] = {"running": "looking", "waiting": "deciding", "incident": "delayed"}
        return stages[run.status]
    if run.outcome == "escalated":
        return "handed_over"
    return "answered" if run.outcome in ("executed", "nothing_to_do") else "declined"


def _count(photos: object) -> int:
    return photos if isinstance(photos, int) and photos > 0 else 0


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
    """When something was, for somebody in this zone: 09:30 today, 14 March 09:30 before."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%B}{'' if local.year == today.year else f' {local.year}'}, {local:%H:%M}"


def drawn(one: Conversation, brand: str, now: datetime, zone: tzinfo) -> Markup:
    """A conversation as HTML; every value of it is escaped."""
    photos = markup(" · {} photo{}", one.photos, "" if one.photos == 1 else "s") if one.photos else Markup("")
    head = markup('<div class="m-talk-head">{}<span>{}{}</span></div>', one.ticket, moment(one.at, now, zone), photos)
    mine = markup('<div class="m-said m-said-mine"><div class="m-text">{}</div></div>', one.wrote)
    done = joined(markup("<li>{}<span>{}</span></li>", icon("check_circle"), what) for what in one.done)
    deeds = markup('<ul class="m-deeds">{}</ul>', done) if one.done else Markup("")
    replies = joined(
        markup('<div class="m-said m-said-theirs"><div class="m-said-by">{}</div><div class="m-text">{}</div></div>', brand, text)
        for text in one.replies
    )
    state = markup(
        '<div class="m-stage m-stage-{}" role="status">{}<span>{}</span></div>', one.stage, icon(_ICONS[one.stage]), one.says
    )
    return markup('<article class="m-talk">{}{}{}{}{}</article>', head, mine, replies, deeds, state if one.says else Markup(""))


def heading(brand: str, name: str) -> Markup:
    """The greeting of the page."""
    return markup(
        '<header class="m-portal-head"><div class="m-portal-brand">{}</div><h1>How can we help, {}?</h1></header>',
        brand, plain(name, 60),
    )  # fmt: skip


def brand_style(color: str) -> Markup:
    """The colour of the company, #rrggbb, for the style sheet."""
    return markup("<style>:root {{ --m-brand: {}; }}</style>", color)
