"""What reasons are about: blame goes there and nowhere else, reasons alike are told together, and what is missing is named."""

from functools import cache

import pytest

from evals.learning.judged import JudgedProposal
from evals.learning.overruled import OverruleRate, judged_proposals, overruled
from evals.learning.reasons import ReasonReader, reason_groups, with_blame
from evals.learning.thresholds import _weighed
from evals.learning.votes import ThresholdComparison, Vote, VoteCounter
from evals.recorded.cases import recorded
from evals.walk import Walk
from knowledge_index.embeddings import MiniLM
from ledger.memory import MemoryLedger
from tests.engine import a_payment, an_exception, laboratory

LAB = laboratory()


def blamed(*reasons: str) -> tuple[MemoryLedger, list[JudgedProposal]]:
    """Orders with a fraud score and its signal, each rejected for a reason; an empty reason approves."""
    ledger, people = MemoryLedger(), {"rita": "reviewer", "ron": "reviewer"}
    for number, reason in enumerate(reasons):
        payment = a_payment(fraud={"score": 0.3, "signals": ["odd_device"]})
        raw = {**an_exception(payments=[payment]), "case_id": f"c-{number}"}
        walk = Walk(LAB, recorded(raw, LAB.packs, "test"), people=people, ledger=ledger).drive()
        by = "rita" if number % 2 else "ron"
        walk.reject(by=by, reason=reason) if reason else walk.approve(by=by, reason="fine")
    return ledger, with_blame(judged_proposals(ledger, LAB.catalogue), LAB.packs, LAB.policies, MiniLM())


@cache
def reader() -> ReasonReader:
    return ReasonReader(LAB.packs["order_exception"], LAB.policies, MiniLM())


@pytest.mark.parametrize(
    ("reason", "policy"),
    [
        ("the house number in the shipping address does not exist", "ADR"),
        ("the recipient does not live there any more", "ADR"),
        ("fraud signals are all explained by the move", "FRD"),
        ("he has been a customer for nine years, this is no fraud", "FRD"),
        ("the card authorization has run out in the meantime", "AUT"),
        ("this is the same order twice, they clicked two times", "DUP"),
    ],
)
def test_a_reason_is_about_the_clauses_that_are_nearest_to_it(reason: str, policy: str) -> None:
    assert reader().clauses(reason)[0].startswith(policy)


@pytest.mark.parametrize("reason", ["no", "not ok", "I disagree", "wrong", "asdf", " ", "see above"])
def test_a_reason_that_says_nothing_is_about_nothing(reason: str) -> None:
    assert reader().clauses(reason) == []


def test_blame_goes_to_what_the_reason_is_about_and_not_to_the_whole_plan() -> None:
    _, (unclear, elsewhere) = blamed("no", "the house number in the shipping address does not exist")
    assert unclear.difference.clauses == ["ORD-2"] and unclear.about == ()
    assert elsewhere.difference.clauses == [] and all(clause.startswith("ADR") for clause in elsewhere.about)
    report = overruled([unclear, elsewhere])
    assert [(one.name, one.decided, one.overruled) for one in report.clauses] == [("ORD-2", 2, 1)]
    assert [(one.decided, one.overruled) for one in report.verdicts] == [(2, 2)]


def test_a_rejection_for_another_reason_says_nothing_about_a_threshold() -> None:
    reasons = "looks like fraud to me, the score is too high", "no", "the house number in the shipping address does not exist"
    ledger, judged = blamed(*reasons)
    counter = VoteCounter(ledger, LAB.packs, LAB.policies, LAB.catalogue)
    about, unclear, elsewhere = ({comparison.clause for comparison, _ in counter.votes(one) or ()} for one in judged)
    assert about == unclear == {"FRD-2", "FRD-3"} and elsewhere == set()


def test_reasons_of_one_meaning_are_told_together_with_what_nobody_reads() -> None:
    _, judged = blamed(
        "courier found a building site at the address",
        "the courier says nobody lives at this address",
        "the address is an empty lot, says the courier",
        "customer is known to charge back, fraud",
        "third fraud chargeback of this customer",
        "no",
    )
    groups = reason_groups(judged, LAB.packs, LAB.policies, MiniLM())
    assert sum(len(one.reasons) for one in groups) == 6
    address = groups[0]
    assert len(address.reasons) == 3 and address.missing[0] == ("courier", 3) and address.clauses[0].startswith("ADR")
    assert "the Mission reads nothing of “courier” (3 of 3)" in address.sentence()
    fraud = next(one for one in groups if "third fraud" in " ".join(one.reasons))
    assert len(fraud.reasons) == 2 and fraud.people == 2 and fraud.clauses[0].startswith("FRD")
    assert all(word != "fraud" for word, _ in fraud.missing)


@pytest.mark.parametrize(("hits", "of", "said"), [(5, 5, True), (4, 4, False), (7, 8, True), (4, 7, False)])
def test_a_clause_that_is_overruled_as_a_rule_is_told_so(hits: int, of: int, said: bool) -> None:
    _, judged = blamed(*(["no"] * hits + [""] * (of - hits)))
    report = overruled(judged)
    (rate,) = report.clauses
    assert isinstance(rate, OverruleRate) and (rate.decided, rate.overruled) == (of, hits)
    assert [one.name for one in report.as_a_rule] == (["ORD-2"] if said else [])
    assert not (said and hits == of) or "overruled in every one of 5" in rate.sentence()


@pytest.mark.parametrize(("decisions", "suggested"), [(40, True), (80, False)])
def test_a_number_that_would_agree_with_hardly_more_decisions_is_not_suggested(decisions: int, suggested: bool) -> None:
    # 5 against the present number that no other number agrees with, and 3 above all others, which a lower one would agree with
    wishes = [place < 10 and place % 2 == 0 for place in range(decisions)] + [True] * 3
    votes = [Vote(f"d-{place}", "rita", place / 100, wish, wish) for place, wish in enumerate(wishes)]
    of = ThresholdComparison(mission="m", fact="payment.fraud.score", strict=False, clause="FRD-2", value="elevated")
    one = _weighed(of, 0.9, votes)
    assert (one.against_present, one.against_suggested) == (8, 5)
    assert one.because == ("" if suggested else "the best other number agrees with 3 more of the 83 decisions; it takes 5 more")
