"""What retrieval finds for a case, and why."""

from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import recorded_case, recorded_cases
from evals.walk import Walk
from evals.walk.retrieval import cited_by_meaning, grounding, weight_of_words
from knowledge_index.embeddings import MiniLM


def test_grounding_is_told_as_the_mission_did_it(lab: EvalEnvironment) -> None:
    walk = Walk(lab, recorded_case("dev-ord-0007", lab.packs)).drive()
    told = grounding(walk)
    said = next(one for one in walk.rail if one.step == "ground")
    assert set(told["clause"]) == set(said.evidence["clauses"])
    assert walk.proposal is not None
    assert set(told["clause"][told["cited"]]) == {cite["clause"] for cite in walk.proposal.cites}
    assert (told["by id"] | told["by meaning"].notna()).all()


def test_the_share_that_meaning_finds_grows_with_what_is_looked_at(lab: EvalEnvironment) -> None:
    shares = list(cited_by_meaning(lab, recorded_cases("order_exception", lab.packs)[:10], (1, 3, 10, 1_000)))
    assert shares == sorted(shares)
    assert (shares[0] < 1.0, shares[-1]) == (True, 1.0)


def test_the_words_that_a_text_is_about_weigh_most() -> None:
    weights = weight_of_words(MiniLM(), "please tell me of refunds", "A refund is paid back to the card.")
    assert weights.index[0] == "refunds"
