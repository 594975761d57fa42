"""How well the knowledge index finds what a case needs: questions with their clause, and what grounding makes of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import RecordedException
from evals.walk.walk import Walk
from knowledge_index.embeddings import Embedder
from knowledge_index.index import KnowledgeIndex
from ledger.canonical import utc_now
from nodes.case import Case
from nodes.diagnose import by_id, by_meaning
from nodes.gather import read_facts
from nodes.understanding import Listening
from strict_yaml import read_yaml
from systems.recorded import RecordedSystems

_QUESTIONS = read_yaml(Path(__file__).with_name("questions.yaml"), "list of questions").data
#: question -> the clause that answers it: as a colleague would ask; as somebody who knows none of the handbook's words would
PLAIN: Mapping[str, str] = _QUESTIONS["plain"]
FOREIGN: Mapping[str, str] = _QUESTIONS["foreign"]
#: More clauses than any book has: all of them are put in order.
_ALL = 10_000


def asked(index: KnowledgeIndex, questions: Mapping[str, str], *, as_of: datetime) -> pd.DataFrame:
    """A row a question (question -> its clause): what is found first, and at which place its own clause is, from 1.

    The place is None of a clause that is not in force at `as_of`. Scores are cosines, from 0 to 1.
    """
    rows = []
    for question, clause in questions.items():
        hits = index.search(question, k=_ALL, as_of=as_of)
        place = next((place for place, hit in enumerate(hits, start=1) if hit.clause.id == clause), None)
        rows.append(
            {
                "question": question,
                "clause": clause,
                "place": place,
                "score": hits[place - 1].score if place else None,
                "first": hits[0].clause.id,
                "score of the first": hits[0].score,
            }
        )
    return pd.DataFrame(rows).astype({"place": "Int64"})


def recall(found: pd.DataFrame, k: int) -> float:
    """Which share of the questions of `asked` has its clause among the first `k`."""
    return float((found["place"] <= k).fillna(False).mean())


def weight_of_words(embedder: Embedder, query: str, text: str) -> pd.Series:
    """By how much the score of a text falls when a word of the query is left out, the weightiest first.

    A model of meaning has no list of words that it matched; this is the nearest to one that can be measured.
    """
    words = query.split()
    queries = [query, *(" ".join(words[:n] + words[n + 1 :]) for n in range(len(words)))]
    scores = embedder.embed(queries) @ embedder.embed([text])[0]
    falls = pd.Series(scores[0] - scores[1:], index=words, name="score falls by")
    return falls.sort_values(ascending=False, kind="stable")


def grounding(walk: Walk) -> pd.DataFrame:
    """A row a clause that grounding retrieved: by which way, for which finding it is nearest, and whether it is cited."""
    event, proposal = walk.case.event, walk.proposal
    pack = walk.environment.packs[event.mission].of(event.name)
    found = _found(findings(walk.environment, walk.case))
    from_pack = set(by_id(pack, found))
    nearest: dict[str, tuple[float, str]] = {}
    for finding, hits in by_meaning(pack, found, walk.environment.knowledge, event.as_of).items():
        for hit in hits:
            nearest[hit.clause.id] = max(nearest.get(hit.clause.id, (0.0, "")), (hit.score, finding))
    cited = {cite["clause"] for cite in proposal.cites} if proposal else set()
    rows = []
    for clause in dict.fromkeys([*by_id(pack, found), *nearest]):
        score, finding = nearest.get(clause, (None, ""))
        title = walk.clauses[clause].title if clause in walk.clauses else "not in force"
        row = {"clause": clause, "title": title, "by id": clause in from_pack, "by meaning": score, "nearest to": finding}
        rows.append({**row, "cited": clause in cited})
    return pd.DataFrame(rows)


def cited_by_meaning(environment: EvalEnvironment, cases: Iterable[RecordedException], ks: Sequence[int]) -> pd.Series:
    """Which share of the clauses that these cases are to cite is among the `k` nearest of a finding of theirs, by `k`."""
    places = []
    for case in cases:
        event = case.event
        topics = [
            environment.packs[event.mission].of(event.name).topics[finding] for finding in _found(findings(environment, case))
        ]
        hits = [environment.knowledge.search(topic, k=_ALL, as_of=event.as_of) for topic in topics]
        orders = [[hit.clause.id for hit in one] for one in hits]
        places += [
            min(order.index(cite) + 1 for order in orders) if orders else _ALL for cite in (case.expected or {}).get("cite", ())
        ]
    return pd.Series({k: sum(place <= k for place in places) / len(places) for k in ks}, name="share among the k nearest")


def findings(environment: EvalEnvironment, case: RecordedException) -> list[dict[str, Any]]:
    """What the recorded facts mean, as `nodes.diagnose.find` tells it, without a run."""
    event, pack = case.event, environment.packs[case.event.mission].of(case.event.name)
    reader = Listening(RecordedSystems(case.systems, environment.catalogue, utc_now), environment.phrasebook, utc_now)
    facts = read_facts(pack, event, reader, utc_now)
    return Case(pack, event, facts, environment.policies.period(event.as_of).values).findings


def _found(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(finding["id"] for finding in findings if not finding["lacking"]))
