"""A server that strangers wrote and that tells schemas: what is misspelt or of another form is found before anybody is asked."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import BadInput
from graphs.pack_files import load_pack_file
from knowledge_index.policies import PolicyBook
from nodes.pack import Pack
from systems.catalogue import load_catalogue
from systems.client import LiveSystems
from systems.config import load_config
from systems.pins import pin, write_pins
from tests.integration.commands import missions

SERVER = '''
from typing import Literal
from pydantic import BaseModel
from mcp.server.mcpserver import MCPServer
server = MCPServer("claims", log_level="CRITICAL")

class Line(BaseModel):
    pos: int
    price: float

class Claim(BaseModel):
    claim_no: str
    dealer: str
    state: str
    credited: float = 0
    lines: list[Line] = []

class Found(BaseModel):
    ok: bool
    payload: Claim | None

@server.tool()
def get_claim(claim_no: str) -> Found:
    """One claim."""
    return Found(ok=True, payload=Claim(claim_no=claim_no, dealer="d1", state="open", lines=[Line(pos=1, price=12.5)]))

@server.tool()
def issue_credit(claim_no: str, amount: str, reason: Literal["damage", "shortage"]) -> dict:
    """Credit a dealer."""
    return {"ok": True}

server.run()
'''
SYSTEMS: dict[str, Any] = {
    "actions": ["actions.yaml"],
    "systems": {
        "desk": {
            "command": ["{python}", "server.py"],
            "records": {
                "claims": {
                    "key": "claim_no",
                    "read": "get_claim",
                    "at": "payload",
                    "parts": {"lines": {"key": "pos", "adds": {"price_cents": "=cents(it.price)"}}},
                    "adds": {"credited_cents": "=cents(it.credited)", "owed_cents": "=sum(it.lines.map(l, cents(l.price)))"},
                }
            },
        }
    },
}
SENDS = {"claim_no": "=claim_no", "amount": "=amount", "reason": "=reason"}
ACTIONS: dict[str, Any] = {
    "issue_credit": {
        "system": "desk",
        "says": "Credit {amount} for claim {claim_no}: {reason}",
        "args": {"claim_no": "id", "amount": {"money": "USD"}, "reason": ["damage", "shortage"]},
        "send": SENDS,
        "binds": {"claim": "desk.claims[claim_no]"},
        "needs": [{"that": "claim.state == 'open'", "else": "the claim is not open"}],
        "effect": {"desk.claims[claim_no].credited_cents": "=it.credited_cents + cents(amount)"},
        "money": {"credit": "=cents(amount)"},
        "to": {"dealer": "=claim.dealer"},
        "undo": None,
    }
}
PACK: dict[str, Any] = {
    "mission": "claim",
    "title": "Claims",
    "version": 1,
    "trigger": {"events": {"claim.made": "{claim_no}"}},
    "reads": {"claim": {"tool": "desk.get_claim", "with": {"claim_no": "=trigger.claim_no"}}},
    "findings": {"claim": [{"id": "claim.open", "when": "claim.state == 'open'", "says": "{claim.owed_cents} is owed."}]},
    "options": {
        "claim.open": [
            {
                "id": "credit",
                "do": [
                    {
                        "action": "issue_credit",
                        "with": {"claim_no": "=claim.claim_no", "amount": "=decimal(claim.owed_cents)", "reason": "damage"},
                    }
                ],
                "end": "credit",
            }
        ]
    },
    "verdicts": {
        "escalate": {"keeps": [], "says": "Hand {subject} over to {queue}."},
        "credit": {"keeps": None, "says": "Credit {subject}."},
    },
    "guards": [{"for": "issue_credit", "that": "args.claim_no == claim.claim_no", "says": "it is the claim"}],
    "approval": {"automate": "SPW-1", "base": "SPW-2", "bands": "SPW-2", "costs": "SPW-2", "limits": ["SPW-2"]},
    "queues": ["desk"],
    "missing": {"escalate": "desk", "cites": ["SPW-1"]},
}
POLICY = """---
id: SPW
title: Claims
version: 1
in_force_from: 2025-01-01
in_force_until: null
owner: claims
---

Mission `claim`: claims.

## SPW-1 What needs nobody

```yaml values
automate: [hand_over]
automate_templates: {}
```

Only {automate} is done without a person.

## SPW-2 Who approves

```yaml values
role: reviewer
bands: [{up_to_cents: 100000, role: reviewer}, {role: supervisor}]
counts: []
flat: []
limits: [{per: dealer, days: 30, most_cents: 200000, role: supervisor}]
```

Everything waits for a `{role}`, and above {bands.0.up_to_cents} of {counts} for a `{bands.1.role}`; so it does above
{limits.0.most_cents} for one dealer within {limits.0.days} days.
"""


def replaced(value: Any, old: Any, new: Any) -> Any:
    """Plain data with one text in it, a key or a value, replaced."""
    if value == old:
        return new
    if isinstance(value, dict):
        return {new if key == old and isinstance(new, str) else key: replaced(one, old, new) for key, one in value.items()}
    if isinstance(value, list):
        return [replaced(one, old, new) for one in value]
    return value


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company whose tools are pinned as the server lists them."""
    folder = tmp_path_factory.mktemp("claims")
    (folder / "server.py").write_text(SERVER)
    (folder / "packs").mkdir()
    (folder / "policies").mkdir()
    (folder / "policies" / "SPW.md").write_text(POLICY)
    SYSTEMS["systems"]["desk"]["command"] = [sys.executable, str(folder / "server.py")]
    put(folder)
    with LiveSystems(load_config(folder / "systems.yaml")) as systems:
        write_pins(folder / "pins.json", pin(systems.tools()))
    return folder


def put(folder: Path, old: Any = "", new: Any = None) -> None:
    """The files of the company, with one text of them replaced."""
    for name, content in (("systems.yaml", SYSTEMS), ("actions.yaml", ACTIONS), ("packs/claim.yaml", PACK)):
        (folder / name).write_text(yaml.safe_dump(replaced(content, old, new) if old else content, sort_keys=False))


def loaded(folder: Path) -> Pack:
    return load_pack_file(
        folder / "packs" / "claim.yaml", load_catalogue(folder / "systems.yaml"), PolicyBook.load(folder / "policies")
    )


def test_what_fits_the_server_loads_and_pins_of_before_schemas_were_kept_say_that_nothing_was_looked_up(company: Path) -> None:
    put(company)
    assert loaded(company).mission == "claim"
    pins = company / "pins.json"
    now = pins.read_text()
    try:
        before = {system: {name: one["digest"] for name, one in tools.items()} for system, tools in json.loads(now).items()}
        pins.write_text(json.dumps(before))
        put(company, "=cents(it.credited)", "=cents(it.creditd)")
        where = {"MISSIONS_SYSTEMS": company / "systems.yaml", "MISSIONS_POLICIES": company / "policies"}
        done = missions("pack", "validate", company / "packs" / "claim.yaml", MISSIONS_PACKS=company / "packs", **where)
        assert done.returncode == 0, done.stderr
        assert (
            "desk.get_claim was pinned when schemas were not kept, so no misspelt field or argument of it is found" in done.stdout
        )
    finally:
        pins.write_text(now)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("payload", "paylod", "records of desk.claims, at names the field 'paylod'"),
        ("=cents(it.credited)", "=cents(it.creditd)", "adds.credited_cents: «cents(it.creditd)» uses the field 'creditd'"),
        ("=cents(it.price)", "=cents(it.pric)", "parts.lines.price_cents: «cents(it.pric)» uses the field 'pric'"),
        ("pos", "position", "parts.lines names the field 'position'"),
        ("=sum(it.lines.map(l, cents(l.price)))", "=sum(it.lines.map(l, cents(l.prize)))", "uses the field 'prize'"),
        ("claim.state == 'open'", "claim.stat == 'open'", "uses the unknown field 'stat'; did you mean state?"),
        ("{claim.owed_cents} is owed.", "{claim.owed_cent} is owed.", "unknown field 'owed_cent'; did you mean owed_cents?"),
        ("=claim.dealer", "=claim.deeler", "action issue_credit: to: «claim.deeler» uses the unknown field 'deeler'"),
        (
            "=cents(amount)",
            "=cents(amount) + cents(claim.creditd)",
            "money: «cents(amount) + cents(claim.creditd)» uses the unknown field 'creditd'",
        ),
        ("desk.claims[claim_no].credited_cents", "desk.claims[claim_no].credit_cents", "names the unknown field 'credit_cents'"),
        (
            "=it.credited_cents + cents(amount)",
            "=it.credit + cents(amount)",
            "effect: «it.credit + cents(amount)» uses the unknown",
        ),
        ("args.claim_no == claim.claim_no", "args.claimno == claim.claim_no", "unknown field 'claimno'; did you mean claim_no?"),
        ({"money": "USD"}, "cents", "desk.issue_credit would always refuse it, for amount must be text, and is a number"),
        ("=decimal(claim.owed_cents)", "=amount(claim.owed_cents)", "for amount must be text, and is a number"),
        (SENDS, {**SENDS, "reasn": "=reason"}, "takes no reasn; did you mean reason?"),
        (SENDS, {"claim_no": "=claim_no", "amount": "=amount"}, "lacks reason"),
        ("shortage", "shortfall", "reason cannot be 'shortfall'; did you mean shortage?"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_server_is_named_with_what_was_probably_meant(company: Path, old: Any, new: Any, said: str) -> None:
    put(company, old, new)
    with pytest.raises(BadInput, match=re.escape(said)):
        loaded(company)
