"""Thresholds that decisions suggest: found where people divide cases along a fact, and only there."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.learning.overruled import judged_proposals
from evals.learning.thresholds import Thresholds, against, chance, draft_of, roundest, split_points, thresholds
from evals.learning.votes import comparisons
from evals.recorded.cases import recorded
from evals.walk import Walk
from knowledge_index.documents import parse_document
from ledger.memory import MemoryLedger
from tests.engine import Raw, a_payment, an_exception, laboratory

AS_OF = datetime(2026, 3, 10, tzinfo=UTC)
#: scores below 0.40, from which on an unexplained one is escalated without a person
SCORES = [round(0.05 + 0.011 * number, 3) for number in range(30)]

Decide = Callable[[float], str]


def decided(decide: Decide, scores: list[float] = SCORES) -> tuple[MemoryLedger, Thresholds]:
    """Orders that differ in their fraud score alone, each decided about as `decide` says."""
    lab, ledger, people = laboratory(), MemoryLedger(), {"rita": "reviewer", "ron": "reviewer"}
    for number, score in enumerate(scores):
        payment = a_payment(fraud={"score": score, "signals": ["odd_device"]})
        raw: Raw = {**an_exception(payments=[payment]), "case_id": f"c-{number}"}
        walk = Walk(lab, recorded(raw, lab.packs, "test"), people=people, ledger=ledger).drive()
        assert walk.run.status == "waiting"
        kind, _, queue = decide(score).partition(" ")
        how = {"by": "rita" if number % 2 else "ron", "reason": "seen", **({"queue": queue} if queue else {})}
        getattr(walk, kind)(**how)
    judged = judged_proposals(ledger, lab.catalogue)
    return ledger, thresholds(judged, ledger, lab.packs, lab.policies, lab.catalogue, as_of=AS_OF)


@pytest.fixture(scope="module")
def divided() -> tuple[MemoryLedger, Thresholds]:
    """People who let nothing from 0.29 on go by."""
    return decided(lambda score: "escalate fraud" if score >= 0.29 else "approve")


def test_where_people_divide_cases_a_number_is_suggested_with_its_evidence(divided: tuple[MemoryLedger, Thresholds]) -> None:
    ledger, found = divided
    (one,) = found.suggestions
    assert (one.clause, one.value, one.present, one.suggested) == ("FRD-2", "elevated", 0.4, 0.29)
    assert one.best_from is not None and one.best_to is not None and one.best_from < 0.29 <= one.best_to
    escalated = [decision for decision in ledger.all_decisions() if decision.kind == "escalate"]
    assert one.moved == [decision.decision_id for decision in escalated]
    assert (one.decisions, one.people) == (30, 2)
    assert (one.against_present, one.against_suggested) == (len(escalated), 0)
    assert one.chance <= one.chance_of_any < 0.01
    assert "0.29 agrees with all but 0 of 30 decisions of 2 people" in one.sentence()
    assert found.rows()[0]["suggested"] == 0.29 and found.made_otherwise == 0


def test_another_threshold_of_the_same_fact_is_not_suggested_beside_it(divided: tuple[MemoryLedger, Thresholds]) -> None:
    other = next(one for one in divided[1].evidence if one.clause == "FRD-3")
    assert "FRD-2.elevated from 0.4 to 0.29 does it" in other.because


def test_a_suggestion_is_a_draft_of_the_next_version(divided: tuple[MemoryLedger, Thresholds]) -> None:
    policies = laboratory().policies
    text = draft_of(divided[1].suggestions[0], policies, date(2027, 1, 1))
    before = next(document for document in policies.documents if document.id == "FRD")
    drafted = parse_document(text, before.file.with_name("FRD.v2.md"))
    values = {clause.id: clause.values for clause in drafted.clauses}
    assert values["FRD-2"] == {**dict(before.clauses[1].values), "elevated": 0.29}


@pytest.mark.parametrize(
    ("decide", "because"),
    [
        (lambda score: "approve", "none of 30 decisions speaks against it"),
        # the same number of them, wherever the score
        (lambda score: "escalate fraud" if round(score * 1_000) % 3 == 0 else "approve", "no other number agrees|may be chance"),
        (lambda score: "escalate fraud" if score >= 0.35 else "approve", "it takes 20, and 5 against it"),
        # nothing of a higher score would have sent it there
        (lambda score: "escalate returns" if score >= 0.29 else "approve", "none of 22 decisions speaks against it"),
        (lambda score: "reject" if score >= 0.29 else "approve", ""),
    ],
    ids=["agree", "noise", "few", "elsewhere", "reject"],
)
def test_only_enough_decisions_that_divide_along_the_fact_suggest_anything(decide: Decide, because: str) -> None:
    _, found = decided(decide)
    one = next(one for one in found.evidence if (one.clause, one.value) == ("FRD-2", "elevated"))
    assert bool(found.suggestions) == (not because)
    assert not because or any(part in one.because for part in because.split("|"))


def test_a_decision_on_what_is_read_no_more_says_nothing_and_is_counted() -> None:
    lab, (ledger, _) = laboratory(), decided(lambda score: "reject", SCORES[:1])
    pack = lab.packs["order_exception"]
    fewer = pack.model_copy(update={"reads": {name: read for name, read in pack.reads.items() if name != "address"}})
    judged = judged_proposals(ledger, lab.catalogue)
    found = thresholds(judged, ledger, {"order_exception": fewer}, lab.policies, lab.catalogue, as_of=AS_OF)
    assert (found.made_otherwise, found.evidence) == (1, [])


def test_packs_say_what_they_compare() -> None:
    told = {str(one) for pack in laboratory().packs.values() for one in comparisons(pack)}
    assert "payment.fraud.score >= FRD-2.elevated" in told
    assert "account.nps > ACC-1.nps_at_most" in told
    assert "days_between(customer.moved_at, order.created_at) > FRD-2.moved_within_days" in told
    # of a line, of a difference in percent: not of the case as a whole
    assert not any("overdue_days" in one or "price_within_percent" in one or "shortfall_percent" in one for one in told)


_NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(_NUMBERS, _NUMBERS, st.booleans(), st.one_of(st.integers(-(10**6), 10**6), _NUMBERS))
def test_a_round_number_lies_where_it_must(low: float, high: float, from_low: bool, near: float) -> None:
    low, high = sorted((low, high))
    if high - low < 1e-9:
        return
    found = roundest(low, high, from_low, near)
    if found is None:
        assert isinstance(near, int) and int(np.floor(high)) - int(np.floor(low)) <= 1
        return
    assert low <= found < high if from_low else low < found <= high
    assert isinstance(found, int) == isinstance(near, int)


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=6, max_size=30))
def test_what_a_cut_denies_is_counted_one_by_one(heard: list[tuple[int, bool]]) -> None:
    heard.sort(key=lambda one: one[0])
    facts, wants = np.array([float(fact) for fact, _ in heard]), np.array([want for _, want in heard])
    denied = against(wants[np.newaxis, :])[0]
    for cut, number in split_points(facts, False, 5.0, 2).items():
        assert denied[cut] == sum((fact >= number) != want for fact, want in heard)
        assert sum(fact < number for fact, _ in heard) == cut


def test_chance_is_low_where_a_line_divides_wishes_and_is_rarely_low_where_none_does() -> None:
    candidates = list(range(3, 38))
    assert chance(np.arange(40) >= 25, 40, candidates) < 0.001
    draws = random.Random(7)
    low = [chance(np.array([draws.random() < 0.3 for _ in range(40)]), 40, [*candidates, 40]) <= 0.05 for _ in range(40)]
    assert sum(low) <= 6  # of 40, two are expected; seven or more would come once in 300 times


def test_the_nearest_of_numbers_that_do_as_well_is_taken() -> None:
    assert roundest(0.31, 0.36, False, 0.40) == 0.36
    assert roundest(0.31, 0.36, True, 0.40) == 0.35
    assert roundest(45_120, 61_033, False, 90_000) == 60_000
    assert roundest(45_120, 61_033, False, 10_000) == 50_000
    assert roundest(4.2, 4.9, False, 3) is None
    steps = [roundest(low, high, False, 0.4) for low, high in pairwise([0.1, 0.2, 0.35])]
    assert steps == [0.2, 0.3]
