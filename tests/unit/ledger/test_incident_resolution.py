"""The ways out of an incident."""

from typing import Any

import pytest

from errors import BadInput, MissionsError, Refused
from ledger.base import Ledger
from ledger.incident_resolution import in_doubt, settle
from tests.ledger_examples import LATER, a_proposal, an_effect, decided, staffed, started


@pytest.fixture
def stuck(ledger: Ledger) -> Ledger:
    """Run run-1 is an incident after two steps of its plan were begun; nothing is known to be in doubt."""
    staffed(ledger)
    started(ledger)
    ledger.propose(a_proposal())
    decided(ledger)
    ledger.intend([an_effect("k-0", 0), an_effect("k-1", 1)])
    ledger.mark_effect("k-0", "executing", at=LATER)
    ledger.mark_effect("k-0", "done", {"id": "r-1"}, at=LATER)
    ledger.mark_effect("k-1", "executing", at=LATER)
    ledger.incident("run-1", "payments is down", LATER)
    return ledger


def statuses(ledger: Ledger) -> list[str]:
    return [effect.status for effect in ledger.effects("run-1")]


def state_of(ledger: Ledger) -> Any:
    """Everything that settling may change."""
    return ledger.run("run-1"), ledger.effects("run-1"), ledger.observations("run-1"), ledger.incidents(), ledger.audit_head()


def test_a_run_goes_on_when_what_it_lacked_is_there(stuck: Ledger) -> None:
    assert in_doubt(stuck, "run-1") is None
    assert settle(stuck, "run-1", "retry", "Rita", "payments is back", LATER).status == "running"
    assert stuck.incidents() == []
    assert statuses(stuck) == ["done", "executing"]


@pytest.mark.parametrize(("way", "status"), [("done", "done"), ("failed", "failed")])
def test_whoever_looked_says_what_became_of_the_step_in_doubt(stuck: Ledger, way: Any, status: str) -> None:
    stuck.mark_effect("k-1", "unknown", error="no answer", at=LATER)
    doubt = in_doubt(stuck, "run-1")
    assert doubt is not None and doubt.key == "k-1"
    assert settle(stuck, "run-1", way, "Rita", " I saw it ", LATER).status == "running"
    assert statuses(stuck) == ["done", status]
    assert "Rita looked it up" in stuck.observations("run-1")[-1].text
    assert "“I saw it”" in stuck.observations("run-1")[-1].text


def test_a_run_is_closed_for_good_whatever_is_in_doubt(stuck: Ledger) -> None:
    stuck.mark_effect("k-1", "unknown", error="no answer", at=LATER)
    run = settle(stuck, "run-1", "close", "Rita", "done by hand", LATER)
    assert (run.status, run.outcome) == ("closed", "abandoned")
    assert statuses(stuck) == ["done", "unknown"]


@pytest.mark.parametrize(
    ("way", "by", "reason", "doubt", "error", "says"),
    [
        ("retry", "Rita", "mended", True, BadInput, "Look up in"),
        ("done", "Rita", "mended", False, BadInput, "No step of run run-1 is in doubt"),
        ("retry", "Rita", " ", False, Refused, "requires a reason"),
        ("retry", "Nobody", "mended", False, Refused, "'Nobody' is not known"),
        ("retry", "Nick", "mended", False, Refused, "requires the role"),
        ("close", "Nick", "mended", True, Refused, "requires the role"),
    ],
)
def test_what_cannot_be_settled_so_changes_nothing(
    stuck: Ledger, way: Any, by: str, reason: str, doubt: bool, error: type[MissionsError], says: str
) -> None:
    if doubt:
        stuck.mark_effect("k-1", "unknown", error="no answer", at=LATER)
    before = state_of(stuck)
    with pytest.raises(error, match=says):
        settle(stuck, "run-1", way, by, reason, LATER)
    assert state_of(stuck) == before


def test_what_is_no_incident_is_not_settled(ledger: Ledger) -> None:
    staffed(ledger)
    started(ledger)
    for way in ("retry", "close"):
        with pytest.raises(Refused, match="'running' and no incident"):
            settle(ledger, "run-1", way, "Rita", "x", LATER)  # type: ignore[arg-type]
