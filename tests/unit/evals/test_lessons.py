"""What people overrule becomes lessons: what they changed, why, and a labeled case that somebody promotes."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput, Refused
from evals.evaluation.scorers import judge
from evals.learning.judged import difference
from evals.learning.lessons import Lesson, drop, labeled_case, lessons, promote
from evals.learning.overruled import judged_proposals, overruled
from evals.recorded.cases import read_cases, recorded
from evals.walk import Walk
from systems.catalogue import Catalogue
from tests.actions import OPEN_CASE, PLACE_ORDER_HOLD, REALLOCATE_LINE, REFUND_CHARGE, SEND_MESSAGE
from tests.engine import Raw, an_exception, evaluation, laboratory, recorded_cases
from tests.ledger_examples import LATER


def waiting_walk(raw: Raw) -> Walk:
    """A case that waits for people, as the run `raw["case_id"]`."""
    walk = Walk(laboratory(), recorded(raw, laboratory().packs, "test")).drive()
    assert walk.run.status == "waiting"
    return walk


def waiting(*actions: str) -> Raw:
    """The first recorded order exception whose plan has these actions."""
    wanted = set(actions)
    cases = recorded_cases("order_exception")
    return next(raw for raw in cases if wanted <= {action["name"] for action in raw["expected"]["actions"]})


def with_packs() -> dict[str, Any]:
    return {"packs": laboratory().packs, "catalogue": laboratory().catalogue}


def plan_of(walk: Walk) -> list[dict[str, Any]]:
    proposal = walk.proposal
    assert proposal is not None
    return [
        {**{name: step[name] for name in ("name", "for", "part", "cites")}, "args": dict(step["args"])} for step in proposal.plan
    ]


def only(walk: Walk) -> Lesson:
    (found,) = lessons(walk.ledger, laboratory().catalogue)
    return found


def test_a_whole_approval_is_no_lesson() -> None:
    walk = waiting_walk(an_exception())
    walk.approve(by="fay", reason="in order")
    assert lessons(walk.ledger, laboratory().catalogue) == []


def test_an_edit_is_a_lesson_with_what_changed_and_what_is_right() -> None:
    raw = waiting(REALLOCATE_LINE)
    walk = waiting_walk(raw)
    plan = plan_of(walk)
    place = next(place for place, step in enumerate(plan) if step["name"] == REALLOCATE_LINE)
    walk.edit([step for step in plan if step["name"] != REALLOCATE_LINE], by="fay", reason="not from there")
    found = only(walk)
    assert [step["name"] for step in found.difference.removed] == [REALLOCATE_LINE]
    assert found.difference.removed[0]["args"] == plan[place]["args"]
    assert found.difference.clauses == plan[place]["cites"] and found.difference.findings == ["stock.short"]
    assert (found.decision.reason, found.status) == ("not from there", "quarantine")
    assert found.expected is not None
    assert REALLOCATE_LINE not in {action["name"] for action in found.expected["actions"]}


def test_an_edit_of_words_is_a_lesson_that_overrules_nothing() -> None:
    walk = waiting_walk(waiting(SEND_MESSAGE, PLACE_ORDER_HOLD))
    plan = plan_of(walk)
    letter = next(step for step in plan if step["name"] == SEND_MESSAGE)
    letter["args"]["text"] += "\nP.S. Thank you for your patience."
    walk.edit(plan, by="rita", reason="kinder")
    found = only(walk)
    (changed,) = found.difference.changed
    assert (changed.action, changed.argument, changed.counts) == (SEND_MESSAGE, "text", False)
    assert found.difference.only_wording and found.expected is not None
    walk.approve(by="fay", reason="in order")
    report = overruled(judged_proposals(walk.ledger, laboratory().catalogue))
    assert [(one.name, one.decided, one.overruled) for one in report.roles] == [("reviewer", 1, 0)]


def test_what_a_person_changed_is_told_step_by_step() -> None:
    walk = waiting_walk(an_exception())
    proposal = walk.ledger.proposals("c-1")[0]
    refund = {"name": REFUND_CHARGE, "args": {"charge_id": "ch-1", "amount_cents": 500}, "for": None, "cites": ["CAN-1"]}
    first, *others = plan_of(walk)
    walk.edit([*others[::-1], {**first, "args": {"order_id": "O-2"}}, refund], by="fay", reason="x")
    decision = walk.ledger.decisions("c-1")[0]
    told = difference(proposal, decision, ["stock.own_location"], laboratory().catalogue)
    assert [step["name"] for step in told.added] == [REFUND_CHARGE] and not told.removed
    assert [(one.argument, one.before, one.after, one.counts) for one in told.changed] == [("order_id", "O-1", "O-2", True)]
    assert told.reordered and "CAN-1" in told.clauses and not told.only_wording
    assert json.loads(json.dumps(told.plain()))["reordered"] is True
    assert only(walk).expected is None  # the check has objected to it: what is right nobody has said


def test_an_escalation_says_what_is_right_and_a_rejection_or_a_remark_does_not() -> None:
    walk = waiting_walk(an_exception())
    walk.respond("the customer called", by="rita")
    walk.escalate("fraud", by="rita", reason="odd")
    remark, escalation = lessons(walk.ledger, laboratory().catalogue)
    assert remark.expected is None and remark.difference.remark == "the customer called"
    assert escalation.difference.queue == "fraud" and escalation.difference.clauses == ["ORD-2"]
    assert escalation.expected is not None and escalation.expected["verdict"] == "escalate"
    assert escalation.expected["actions"] == [{"name": OPEN_CASE, "args": {"queue": "fraud", "subject_id": "O-1"}}]
    other = waiting_walk(an_exception())
    other.reject(by="rita", reason="no")
    assert only(other).expected is None and only(other).difference.whole


def test_a_part_that_was_left_out_is_a_lesson() -> None:
    cases = (raw for raw in recorded_cases("omnichannel_exception") if raw["trigger"]["event"] == "inbound.delayed")
    for raw in cases:
        walk = Walk(laboratory(), recorded(raw, laboratory().packs, "test")).drive()
        parts = list(dict.fromkeys(step["part"] for step in plan_of(walk) if step["part"]))
        if walk.run.status == "waiting" and len(parts) > 1:
            break
    for by in ("fay", "finn"):
        if walk.run.status == "waiting":
            walk.approve(by=by, reason="not that one", without=[parts[0]])
    found = lessons(walk.ledger, laboratory().catalogue)[0]
    assert list(found.difference.without) == [parts[0]] and found.difference.removed
    assert found.expected is not None
    left = [step for step in found.proposal.plan if step["part"] != parts[0]]
    assert [one["name"] for one in found.expected["actions"]] == [step["name"] for step in left]


def test_a_promoted_case_is_read_evaluated_and_kept_from_others(tmp_path: Path) -> None:
    walk = waiting_walk(an_exception())
    walk.escalate("fraud", by="rita", reason="odd")
    file, found = tmp_path / "overrides.jsonl", only(walk)
    settled = promote(walk.ledger, found, file, by="ANA", **with_packs(), at=LATER)
    assert (settled.by, settled.status, only(walk).status) == ("ana", "promoted", "promoted")
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (case,) = read_cases(file, laboratory().packs)
    assert case.expected is not None and case.raw["lesson"]["difference"]["queue"] == "fraud"
    assert judge(case.expected, evaluation().run(case), laboratory().catalogue)["missed_escalation"] == 1
    with pytest.raises(Refused, match="was promoted to"):
        promote(walk.ledger, found, file, by="ana", **with_packs())
    assert len(file.read_bytes().splitlines()) == 1


def test_what_speaks_of_actions_and_packs_that_are_no_more_is_told_in_a_sentence(tmp_path: Path) -> None:
    walk = waiting_walk(an_exception())
    walk.edit(plan_of(walk)[:2], by="fay", reason="not yet")
    names = [step["name"] for step in plan_of(walk)]
    (found,) = lessons(walk.ledger, Catalogue({name: laboratory().catalogue[name] for name in names[1:]}))
    assert found.expected is not None and found.expected["before"] == []
    with pytest.raises(BadInput, match="no pack of order_exception any more"):
        promote(walk.ledger, found, tmp_path / "x.jsonl", by="ana", packs={}, catalogue=laboratory().catalogue, expected=RIGHT)


@pytest.mark.parametrize(
    ("name", "settle", "sentence"),
    [
        ("new\nline.jsonl", False, "printable characters"),
        ("x.jsonl", True, "dropped by ana already"),
    ],
)
def test_where_a_lesson_cannot_be_settled_no_case_is_added(tmp_path: Path, name: str, settle: bool, sentence: str) -> None:
    walk = waiting_walk(an_exception())
    walk.escalate("fraud", by="rita", reason="odd")
    seen = only(walk)
    if settle:  # somebody else was faster
        drop(walk.ledger, seen, by="ana", reason="a slip of the mouse")
    with pytest.raises((BadInput, Refused), match=sentence):
        promote(walk.ledger, seen, tmp_path / name, by="ana", **with_packs())
    assert list(tmp_path.iterdir()) == []


RIGHT: dict[str, Any] = {
    "verdict": "escalate",
    "actions": [{"name": OPEN_CASE, "args": {"queue": "fraud", "subject_id": "O-1"}}],
    "before": [],
    "cite": ["FRD-2"],
    "approval": {"role": "none", "four_eyes": False},
}


@pytest.mark.parametrize(
    ("by", "expected", "error", "sentence"),
    [
        ("rita", RIGHT, Refused, "requires the role administrator or analyst"),
        ("ana", None, BadInput, "says what was wrong but not what is right"),
        ("ana", {**RIGHT, "verdict": "explode"}, BadInput, "expected.verdict must be one of"),
        ("ana", {**RIGHT, "actions": [{"name": OPEN_CASE, "args": {}}]}, BadInput, "action 1: open_case needs the argument"),
        ("ana", {**RIGHT, "actions": [{"name": ["x"], "args": {}}]}, BadInput, "expected.actions must be a list of actions"),
        ("ana", {**RIGHT, "before": [[0, 1]]}, BadInput, "expected.before names the pair"),
        ("ana", {**RIGHT, "actions": [{"name": "x", "args": {}}]}, BadInput, "action 1: 'x' is not an action of order_exception"),
        ("ana", {**RIGHT, "approval": {"role": [], "four_eyes": False}}, BadInput, "expected.approval must have role"),
        ("ana", {**RIGHT, "approval": {"role": "boss", "four_eyes": False}}, BadInput, "expected.approval must have a role"),
        ("ana", {**RIGHT, "more": 1}, BadInput, "must be an object with verdict"),
        ("ana", [RIGHT], BadInput, "must be an object with verdict"),
    ],
)
def test_what_cannot_be_promoted_leaves_no_file_and_stays_in_quarantine(
    tmp_path: Path, by: str, expected: Any, error: type[Exception], sentence: str
) -> None:
    walk = waiting_walk(an_exception())
    walk.reject(by="rita", reason="no")
    with pytest.raises(error, match=sentence):
        promote(
            walk.ledger, only(walk), tmp_path / "x.jsonl", by=by, **with_packs(),
            expected=expected,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == [] and only(walk).status == "quarantine"


def test_a_rejection_is_promoted_with_what_somebody_says_is_right_or_dropped(tmp_path: Path) -> None:
    walk = waiting_walk(an_exception())
    walk.reject(by="rita", reason="no")
    with pytest.raises(BadInput, match="A reason is missing"):
        drop(walk.ledger, only(walk), by="ana", reason=" ")
    promote(
        walk.ledger, only(walk), tmp_path / "x.jsonl", by="ana", **with_packs(),
        expected=RIGHT,
    )  # fmt: skip
    (case,) = read_cases(tmp_path / "x.jsonl", laboratory().packs)
    assert case.expected == RIGHT
    other = waiting_walk(an_exception())
    other.reject(by="rita", reason="no")
    drop(other.ledger, only(other), by="ana", reason="a slip of the mouse")
    assert only(other).status == "dropped"


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes")
def test_a_case_is_not_added_to_a_file_that_others_read_nor_beside_another_of_its_name(tmp_path: Path) -> None:
    walk = waiting_walk(an_exception())
    walk.escalate("fraud", by="rita", reason="odd")
    file = tmp_path / "open.jsonl"
    file.write_text("")
    file.chmod(0o644)
    how: dict[str, Any] = {"by": "ana", **with_packs()}
    with pytest.raises(BadInput, match="others can read it"):
        promote(walk.ledger, only(walk), file, **how)
    file.chmod(0o600)
    file.write_text(json.dumps({"case_id": labeled_case(walk.ledger, only(walk), laboratory().catalogue)["case_id"]}))
    with pytest.raises(BadInput, match="line 1: the case c-1.1 is already there with other content"):
        promote(walk.ledger, only(walk), file, **how)
    file.write_text('{"case_id": "another"}')  # without a line's end
    promote(walk.ledger, only(walk), file, **how)
    assert len(file.read_bytes().splitlines()) == 2
