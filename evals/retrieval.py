"""How well the knowledge index finds what a case needs: questions with their clause, and what grounding makes of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from evals.cases import RecordedException
from evals.run import Laboratory
from evals.walk import Walk
from knowledge_index.embeddings import Embedder
from knowledge_index.index import KnowledgeIndex
from ledger.canonical import utc_now
from nodes.case import Case
from nodes.diagnose import find
from nodes.gather import read_facts
from nodes.ground import by_id, by_meaning
from nodes.listening import Listening
from systems.recorded import RecordedSystems

#: As a colleague would ask, and the clause that answers it.
PLAIN: Mapping[str, str] = {
    "Which actions need no approval?": "GOV-1",
    "Who has to approve a refund of 3,000 dollars?": "GOV-3",
    "What if a plan takes stock from a flagship store?": "GOV-4",
    "What do we do if a system cannot be reached?": "GOV-7",
    "Should we trust instructions in a customer's note?": "GOV-6",
    "When are two orders of one customer the same order?": "DUP-1",
    "What explains an elevated fraud score?": "FRD-2",
    "The fraud score is very high": "FRD-3",
    "The address check suggests a correction": "ADR-2",
    "The address is ambiguous": "ADR-3",
    "The payment authorization has expired": "AUT-2",
    "The card was declined": "AUT-3",
    "An order was shipped but the payment was never captured": "CAP-1",
    "When is a stock record reliable?": "STK-2",
    "Where else can a line be sourced when its location has no stock?": "STK-4",
    "No line of the order can be filled": "STK-5",
    "A customer was charged twice": "REF-1",
    "The customer's package has not arrived": "REF-6",
    "The item arrived damaged": "REF-7",
    "How many days does a customer have to return something?": "REF-9",
    "Customer wants to cancel a subscription": "SUB-1",
    "Customer cannot log in": "CRD-1",
    "When is an account at risk of leaving?": "ACC-3",
    "The price on the invoice is not the price on the purchase order": "AP-6",
    "The stock on the shelf does not match the system, is it phantom?": "PHA-1",
}

#: As somebody would ask who knows none of the handbook's words.
FOREIGN: Mapping[str, str] = {
    "What can the system do on its own, with nobody signing off?": "GOV-1",
    "How senior must the person be who signs off a large amount?": "GOV-3",
    "A buyer writes that we owe her an exception. Does that bind us?": "GOV-6",
    "The warehouse software is down. What now?": "GOV-7",
    "Somebody pressed the buy button two times in a row": "DUP-1",
    "How suspicious is too suspicious, so that specialists must look at the order?": "FRD-3",
    "Can an unusually expensive basket be harmless?": "FRD-2",
    "The postal service proposes another spelling of the street": "ADR-2",
    "The bank said no to the card": "AUT-3",
    "The approval from the card company is too old": "AUT-2",
    "The parcel has left, but we never took the money": "CAP-1",
    "When may I rely on the number of units the warehouse shows?": "STK-2",
    "The usual warehouse has run out. Where else may the goods come from?": "STK-4",
    "Nothing in the basket is obtainable anywhere": "STK-5",
    "Someone asks about a purchase of another person": "SUP-1",
    "My card shows the same amount two times": "REF-1",
    "The parcel never arrived": "REF-6",
    "The vase came in pieces": "REF-7",
    "How long after delivery can goods be sent back?": "REF-9",
    "I want to stop my monthly plan": "SUB-1",
    "I forgot my password": "CRD-1",
    "Which warning signs say that a business customer may leave us?": "ACC-1",
    "A supplier sent the same bill again": "AP-1",
    "A supplier bills a higher price per piece than we ordered at": "AP-6",
    "The supplier's shipment arrives later than planned and orders wait for it": "INB-1",
}


#: More clauses than any book has: all of them are put in order.
_ALL = 10_000


def asked(index: KnowledgeIndex, questions: Mapping[str, str], *, as_of: datetime) -> pd.DataFrame:
    """A row a question (question -> its clause): what is found first, and at which place its own clause is, from 1.

    The place is None of a clause that is not in force at `as_of`. Scores are cosines, from 0 to 1.
    """
    rows = []
    for question, clause in questions.items():
        hits = index.search(question, k=_ALL, as_of=as_of)
        place = next((place for place, hit in enumerate(hits, start=1) if hit.clause_id == clause), None)
        rows.append(
            {
                "question": question,
                "clause": clause,
                "place": place,
                "score": hits[place - 1].score if place else None,
                "first": hits[0].clause_id,
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
    pack = walk.laboratory.packs[event.mission].of(event.name)
    found = _found(findings(walk.laboratory, walk.case))
    from_pack = set(by_id(pack, found))
    nearest: dict[str, tuple[float, str]] = {}
    for finding, hits in by_meaning(pack, found, walk.laboratory.knowledge, event.as_of).items():
        for hit in hits:
            nearest[hit.clause_id] = max(nearest.get(hit.clause_id, (0.0, "")), (hit.score, finding))
    cited = {cite["clause"] for cite in proposal.cites} if proposal else set()
    rows = []
    for clause in dict.fromkeys([*by_id(pack, found), *nearest]):
        score, finding = nearest.get(clause, (None, ""))
        title = walk.clauses[clause].title if clause in walk.clauses else "not in force"
        told = {"clause": clause, "title": title, "by id": clause in from_pack, "by meaning": score, "nearest to": finding}
        rows.append({**told, "cited": clause in cited})
    return pd.DataFrame(rows)


def cited_by_meaning(laboratory: Laboratory, cases: Iterable[RecordedException], ks: Sequence[int]) -> pd.Series:
    """Which share of the clauses that these cases are to cite is among the `k` nearest of a finding of theirs, by `k`."""
    places = []
    for case in cases:
        event = case.event
        topics = [
            laboratory.packs[event.mission].of(event.name).topics[finding] for finding in _found(findings(laboratory, case))
        ]
        hits = [laboratory.knowledge.search(topic, k=_ALL, as_of=event.as_of) for topic in topics]
        orders = [[hit.clause_id for hit in one] for one in hits]
        places += [
            min(order.index(cite) + 1 for order in orders) if orders else _ALL for cite in (case.expected or {}).get("cite", ())
        ]
    return pd.Series({k: sum(place <= k for place in places) / len(places) for k in ks}, name="share among the k nearest")


def findings(laboratory: Laboratory, case: RecordedException) -> list[dict[str, Any]]:
    """What the recorded facts mean, as `nodes.diagnose.find` tells it, without a run."""
    event, pack = case.event, laboratory.packs[case.event.mission].of(case.event.name)
    reader = Listening(RecordedSystems(case.systems, laboratory.catalogue, utc_now), laboratory.phrasebook, utc_now)
    facts = read_facts(pack, event, reader, utc_now)
    return find(Case(pack, event, facts, laboratory.policies.values(event.as_of)))


def _found(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(finding["id"] for finding in findings if not finding["lacking"]))
