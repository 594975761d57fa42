"""Outgoing events: which destinations there are, and what each is told of a row of the audit log, as CloudEvents 1.0.

    dashboard: https://missions.example        # where people open it: in links, and the source of the events
    outgoing:
      hub:
        url: https://hub.example/missions
        secret: {env: HUB_SECRET}              # or {file: /run/secrets/hub}: whsec_… of Standard Webhooks
        kinds: [proposal, incident]            # without it, all
        missions: [order_exception]            # without it, every one
        timeout_seconds: 10                    # of one try

An event holds ids, words of packs and catalogue, and amounts: no letter, no reason, nothing of a customer. Its id is the
digest of its row of the log, so that it is the same however often it is sent.
"""

import base64
import binascii
import os
from collections.abc import Collection, Mapping
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import quote, urlsplit

import httpx2
from pydantic import AfterValidator, BaseModel, Field, model_validator

from errors import BadInput
from harmless import HIDDEN
from ledger.outbox import OutboxRow
from ledger.records import SOURCE_NAME
from models.masking import Masks
from strict_yaml import instead, read_yaml
from systems.credentials import SecretSource

Kind = Literal["proposal", "decision", "effect", "incident", "run"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_WHAT, _SEE = "list of destinations", "docs/outgoing.md"
#: bytes of a secret, as Standard Webhooks wants them
_FEWEST_BYTES, _MOST_BYTES = 24, 64
#: of an id or a word in an event
_MOST_CHARACTERS = 200
_SECRET_BEGINS = "whsec_"


def _address(url: str) -> str:
    try:
        parts, _ = urlsplit(url), httpx2.URL(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        fits = fits and parts.username is None and not parts.fragment
    except (ValueError, httpx2.InvalidURL):
        fits = False
    if not fits or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("this is no address; write https://HOST/PATH, without a user name, a password or a #")
    return url


Address = Annotated[str, Field(max_length=2_000), AfterValidator(_address)]


class Destination(BaseModel, extra="forbid", frozen=True):
    """One that is told of what happens, at an address."""

    #: given by the key that it stands under
    name: str = ""
    url: Address = Field(repr=False)
    #: `whsec_…` of Standard Webhooks, by which it tells our events from others'
    secret: SecretSource
    kinds: frozenset[Kind] = Field(default=frozenset(KINDS), min_length=1)
    #: None for every one
    missions: frozenset[str] | None = None
    #: of one try, from the connection to the status of the answer
    timeout_seconds: float = Field(default=10.0, strict=True, gt=0, le=60)

    @property
    def host(self) -> str:
        """Its address as it may be shown: what stands behind the host may be a key."""
        return urlsplit(self.url)._replace(path="", query="").geturl()

    def signing_key(self) -> bytes:
        """The bytes of its secret. Raises TryAgain where there is none, BadInput where it is not of Standard Webhooks."""
        said = self.secret.read(os.environ, self.name)
        try:
            key = base64.b64decode(said.removeprefix(_SECRET_BEGINS), validate=True) if said.startswith(_SECRET_BEGINS) else b""
        except binascii.Error:
            key = b""
        if not _FEWEST_BYTES <= len(key) <= _MOST_BYTES:
            raise BadInput(
                f"{self.secret.label}: holds no secret for the destination {self.name}; write {_SECRET_BEGINS} and the base64 of "
                f"{_FEWEST_BYTES} to {_MOST_BYTES} random bytes into it"
            )
        return key


class Outgoing(BaseModel, extra="forbid", frozen=True):
    """All destinations."""

    dashboard: Address
    outgoing: Mapping[str, Destination] = {}

    @model_validator(mode="before")
    @classmethod
    def _name(cls, data: Any) -> Any:
        named = data.get("outgoing") if isinstance(data, dict) else None
        if not isinstance(named, dict):
            return data
        for name in named:
            if not isinstance(name, str) or not SOURCE_NAME.fullmatch(name):
                raise ValueError(f"{str(name)[:60]!r} is no name of a destination; use lowercase letters, digits, - and _")
        return data | {"outgoing": {name: {**one, "name": name} if isinstance(one, dict) else one for name, one in named.items()}}


def load_outgoing(file: Path | None) -> Outgoing | None:
    """The destinations of a file; None without one. Raises BadInput with file, line and remedy."""
    return read_yaml(file, _WHAT).as_model(Outgoing, _SEE) if file else None


def check_missions(outgoing: Outgoing, missions: Collection[str]) -> None:
    """Raises BadInput for a destination of a Mission that there is not: it would be told nothing."""
    for one in outgoing.outgoing.values():
        for mission in sorted((one.missions or frozenset()) - set(missions)):
            raise BadInput(f"The destination {one.name} names the Mission {mission[:60]!r}: {instead(mission, missions)}.")


def cloud_event(row: OutboxRow, to: Destination, dashboard: str) -> dict[str, Any] | None:
    """What a destination is told of a row of the log; None for a row that is not for it."""
    said = _said(row.entry.kind, row.entry.body)
    if said is None or said[0].partition(".")[0] not in to.kinds:
        return None
    if not row.mission or (to.missions is not None and row.mission not in to.missions):
        return None
    kind, names = said
    run_id, body = row.entry.run_id, row.entry.body
    facts = {name: value for name in names.split() if _is_plain(value := body.get(name))}
    link = f"{dashboard.rstrip('/')}/run?run={quote(run_id, safe='')}"
    return envelope(
        row.entry.digest, kind, dashboard, subject=HIDDEN.sub(" ", Masks().mask(row.subject)),
        time=row.entry.at.astimezone(UTC).isoformat(),
        # text, so that it sorts: the extension "sequence" of CloudEvents
        sequence=f"{row.entry.seq:018}",
        data={"run": run_id, "mission": row.mission, **facts, "link": link},
    )  # fmt: skip


def envelope(event_id: str, kind: str, dashboard: str, **more: Any) -> dict[str, Any]:
    """A CloudEvent in the structured form; `more` are its further attributes and its data."""
    begins = {"specversion": "1.0", "id": event_id, "source": dashboard, "type": f"missions.{kind}"}
    return {**begins, **more, "datacontenttype": "application/json"}


def _is_plain(value: object) -> bool:
    """Whether it is an id, a word or a number, whatever somebody wrote into the log."""
    return isinstance(value, bool | int) or (isinstance(value, str) and 0 < len(value) <= _MOST_CHARACTERS)


def _said(kind: str, body: Mapping[str, Any]) -> tuple[str, str] | None:
    """(type of the event, what of the row's body it says); None for a row that no destination is told of."""
    match kind, body.get("status"):
        case "proposed", status:
            name = "proposal.waiting" if status == "pending" else "proposal.automatic"
            return name, "proposal_id revision verdict money_at_stake_cents role four_eyes held_by supersedes"
        case "decided", _:
            return "decision.recorded", "decision_id proposal_id kind role proposal_status"
        case "effect_marked", ("done" | "failed" | "unknown") as status:
            return f"effect.{status}", "proposal_id step action tool"
        case "incident_opened", _:
            return "incident.opened", "incident_id"
        case (("run_resumed" | "run_restarted"), _):
            return f"incident.{kind.removeprefix('run_')}", ""
        case "run_closed", _:
            return "run.closed", "verdict outcome"
    return None
