"""How well plain questions find their clause, with the real model and the real policies."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from evals.walk.retrieval import FOREIGN, PLAIN, asked, recall
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import KnowledgeIndex
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook

AS_OF = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def index() -> Iterator[KnowledgeIndex]:
    with KnowledgeIndex.in_memory(PolicyBook.load(REFERENCE_POLICIES), MiniLM()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("questions", "first_at_least", "first_five_at_least"),
    # measured: 72% and 100%, 36% and 64%
    [(PLAIN, 0.68, 0.96), (FOREIGN, 0.28, 0.56)],
    ids=["plain", "foreign"],
)
def test_a_question_finds_its_clause_first_or_among_the_first_five(
    index: KnowledgeIndex, questions: dict[str, str], first_at_least: float, first_five_at_least: float
) -> None:
    found = asked(index, questions, as_of=AS_OF)
    assert recall(found, 1) >= first_at_least, found.to_string()
    assert recall(found, 5) >= first_five_at_least, found.to_string()
