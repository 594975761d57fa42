"""What a report says of a shadow, against runs in a ledger in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from errors import BadInput
from evals.evaluation.answers import CaseAnswer, PlanStep
from evals.shadow.persistence import ShadowFile, ShadowOf, ShadowRun
from evals.shadow.report import ShadowedRun, report
from evals.shadow.running import Beside
from evals.shadow.session import live_url
from ledger.memory import MemoryLedger
from nodes.gather import AsThen
from settings import Settings
from systems.calls import Call, ReadResult
from tests.actions import OPEN_CASE
from tests.ledger_examples import LATER, NOW, PLAN, a_fact, a_proposal, an_effect, decided, staffed, started

STEPS = [{**step, "tier": "recommend"} for step in PLAN]
WHOLE = [PlanStep(name=step["name"], args={"order_id": "O-1"}) for step in PLAN]
SHADOW = ShadowOf(name="x", since=NOW, changed=[], changed_packs=[], versions={})


@pytest.fixture
def ledger() -> MemoryLedger:
    """A run that has looked once."""
    made = MemoryLedger()
    staffed(made)
    started(made)
    made.record_facts("run-1", [a_fact()])
    return made


def proposed(ledger: MemoryLedger, number: int, **fields: Any) -> None:
    ledger.propose(a_proposal(f"p-{number}", **{"plan": STEPS, "revision": number, "digest": f"digest of p-{number}", **fields}))


def reported(ledger: MemoryLedger, folder: Path, steps: Sequence[PlanStep] = WHOLE, **fields: Any) -> tuple[ShadowedRun, int]:
    """The row of run-1, of which the shadow says to do these steps; and in how many runs it is told the same."""
    answer = CaseAnswer(verdict="fulfil", actions=list(steps), cite=[], role="reviewer", four_eyes=False)
    run = ShadowRun(
        run_id="run-1", mission="order_exception", event="order.payment_review", subject="O-1", at=NOW,
        **{"evidence": "now", "moved": [], "live_versions": {}, "answer": answer, "looks": 1, "proposals": 1,
           "outcome": "executed", "steps": [], **fields},
    )  # fmt: skip
    file = ShadowFile(folder, "x")
    with file.writing(SHADOW) as writer:
        writer.add(run)
    found = report(file, ledger)
    return found.runs[0], found.same_evidence.of


def test_an_edit_and_a_part_that_was_left_out_are_what_people_decided(ledger: MemoryLedger, tmp_path: Path) -> None:
    proposed(ledger, 1)
    decided(ledger, "edit", by="Rita", details={"plan": STEPS[:1]})
    proposed(ledger, 2, author="Rita", plan=[{**STEPS[0], "part": "a"}, {**STEPS[1], "part": "b"}])
    decided(ledger, proposal_id="p-2", details={"without": ["b"]})
    row, same = reported(ledger, tmp_path, WHOLE[:1])
    assert (row.decided, row.with_live, row.with_people) == ("edited", "other_actions", "same")
    assert (row.looked_again, same) == (False, 1)


def test_what_a_shadow_would_do_otherwise_is_told_an_action_a_line(ledger: MemoryLedger, tmp_path: Path) -> None:
    proposed(ledger, 1)
    reported(ledger, tmp_path, [PlanStep(name=OPEN_CASE, args={"queue": "fraud"})])
    lines = [part.splitlines() for part in report(ShadowFile(tmp_path, "x"), ledger).parts() if isinstance(part, str)][-1]
    assert lines == [
        "run-1 differs in",
        "+open_case(fraud)",
        *(f"-{step['name']}(O-1)" for step in STEPS),
    ]


def test_an_approved_plan_stays_approved_while_its_undoing_waits(ledger: MemoryLedger, tmp_path: Path) -> None:
    proposed(ledger, 1)
    decided(ledger)
    ledger.intend([an_effect()])
    ledger.record_facts("run-1", [a_fact()])
    proposed(ledger, 2, undoes="p-1", verdict="escalate", plan=[])
    row, _ = reported(ledger, tmp_path)
    assert (row.decided, row.with_people, row.last.verdict) == ("approved", "same", "fulfil")


def test_what_was_decided_on_a_later_look_was_not_told_the_same(ledger: MemoryLedger, tmp_path: Path) -> None:
    proposed(ledger, 1)
    decided(ledger, "respond", details={"remark": "look again"})
    ledger.record_facts("run-1", [a_fact(value={"order_id": "O-1", "total_cents": 1})])
    proposed(ledger, 2, plan=STEPS[:1])
    waiting, _ = reported(ledger, tmp_path / "waiting")
    # it was set beside the first look, and differs from nothing that was proposed on it
    assert (waiting.decided, waiting.with_live, waiting.last) == ("undecided", "same", waiting.live)
    decided(ledger, proposal_id="p-2")
    first, of_first = reported(ledger, tmp_path / "first")
    second, of_second = reported(ledger, tmp_path / "second", WHOLE[:1], look=2)
    assert (first.with_live, first.with_people, first.looked_again, of_first) == ("same", "other_actions", True, 0)
    assert (second.with_live, second.with_people, second.looked_again, of_second) == ("same", "same", False, 1)


def test_a_run_that_has_had_effects_is_seen_as_it_was_last_before_them(ledger: MemoryLedger) -> None:
    order = Call("oms.get_order", {"order_id": "O-1"})
    ledger.record_facts("run-1", [a_fact(value="second")])
    proposed(ledger, 1)
    assert Beside.of(ledger, "run-1") == Beside(2, [a_fact(value="second")], late=False)
    decided(ledger)
    ledger.intend([an_effect()])
    assert not Beside.of(ledger, "run-1").late
    ledger.mark_effect("k-0", "executing", at=LATER)
    ledger.record_facts("run-1", [a_fact(value="what it has done")])
    beside = Beside.of(ledger, "run-1")
    assert (beside.look, beside.late) == (2, True)
    (told,) = beside.reader(Telling("now")).read_all([order])
    assert told.value == "second"


class Telling:
    """A Reader that answers everything with one value."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        return [ReadResult(call, "ok", self._value, NOW) for call in calls]


@pytest.mark.parametrize("hostile", ["\ud800", "a\x00", 2**70, float("nan")])
def test_whatever_a_system_tells_can_be_compared_with_what_the_ledger_keeps(hostile: Any) -> None:
    call = Call("oms.get_order", {"order_id": hostile})
    (told,) = AsThen((), Telling({"note": hostile})).read_all([call])
    fact = a_fact(args=call.args, value=told.value)
    assert Beside(1, [fact], late=True).moved([fact]) == []
    (again,) = AsThen([fact], Telling("now")).read_all([call])
    assert again.value == told.value
    assert "\ud800" not in str(told.value) and "\x00" not in str(told.value)


def test_a_file_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    file = ShadowFile(tmp_path, "x")
    file.path.mkdir(parents=True)
    with pytest.raises(BadInput, match="cannot be written"), file.writing(SHADOW):
        pass


def test_a_line_of_an_earlier_release_is_read(ledger: MemoryLedger, tmp_path: Path) -> None:
    proposed(ledger, 1)
    reported(ledger, tmp_path)
    file = ShadowFile(tmp_path, "x")
    first, line = file.path.read_bytes().splitlines()
    file.path.write_bytes(b"\n".join([first, orjson.dumps({k: v for k, v in orjson.loads(line).items() if k != "look"}), b""]))
    assert [run.look for run in file.read().runs] == [1]


def test_a_shadow_makes_no_ledger_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no ledger of this release"):
        live_url(Settings(home=tmp_path / "home", DATABASE_URL=""))
    assert list(tmp_path.iterdir()) == []
