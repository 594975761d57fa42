"""Enterprise Knowledge: the clauses, what a search finds of them and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any

import pandas as pd

from evals import plots
from evals.evaluation.environment import EvalEnvironment
from evals.walk import Walk, retrieval
from knowledge_index.drafting import Edit, newest, redrafted, with_draft
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import KnowledgeIndex, index_entries
from knowledge_index.policies import Clause
from ledger.canonical import utc_now
from missions.cases import Source, cases
from missions.opened import as_day, opened, present
from rendering import Displayable, Part, frame, table

_FIRST = (1, 3, 5, 10)


@dataclass(frozen=True)
class Found(Displayable):
    """What a search of the index found, the nearest first."""

    query: str
    rows: pd.DataFrame = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """A row a clause: clause, version, title, score (the cosine, at most 1), text."""
        return self.rows

    def plot(self) -> "plots.Drawing":
        """A chart: the scores."""
        named = self.rows["clause"] + " " + self.rows["title"]
        return plots.bars(self.rows.assign(clause=named)[["clause", "score"]], "score", "clause")

    def parts(self) -> Iterator[Part]:
        """The query, and a row a clause."""
        yield self.query
        yield table(self.rows.drop(columns="text").round(3).to_dict("records"))


@dataclass(frozen=True)
class Recall(Displayable):
    """Questions with the clause that answers each, and at which place of a search it stands."""

    groups: Mapping[str, pd.DataFrame] = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """A row a group: the share (0 to 1) whose clause is among the first 1, 3, 5, 10."""
        return pd.DataFrame({name: {k: retrieval.recall(found, k) for k in _FIRST} for name, found in self.groups.items()}).T

    def misses(self, most: int) -> pd.DataFrame:
        """The questions whose clauses stand farthest behind: question, clause, place, score, first, score of the first."""
        found: pd.DataFrame = pd.concat(self.groups.values()).nlargest(most, "place").reset_index(drop=True)
        return found.round(2)

    def plot(self) -> "plots.Drawing":
        """A chart: the share of questions whose clause is among the first."""
        rows = (
            self.frame().reset_index(names="questions").melt("questions", var_name="clause among the first", value_name="share")
        )
        return plots.columns(rows, "clause among the first", "share", "questions", beside=True)

    def parts(self) -> Iterator[Part]:
        """A row a group."""
        yield table([{"questions": name, **{f"first {k}": row[k] for k in _FIRST}} for name, row in self.frame().iterrows()])


class Knowledge(Displayable):
    """The policies of a version with their index, as they are in force at one moment."""

    def __init__(self, environment: EvalEnvironment, as_of: datetime) -> None:
        self._environment, self.as_of = environment, as_of
        self.book, self.index = environment.policies, environment.knowledge

    def documents(self) -> pd.DataFrame:
        """A row a document, by its id: title, version, in_force_from, owner, clauses (how many)."""
        rows = [{**vars(one), "clauses": len(one.clauses)} for one in self.book.documents]
        found: pd.DataFrame = frame(rows).set_index("id")[["title", "version", "in_force_from", "owner", "clauses"]]
        return found

    def clause(self, clause_id: str) -> Clause:
        """A clause with `text` and `values`. Raises BadInput where none of that id is in force."""
        return self.book.clause(clause_id, as_of=self.as_of)

    def search(self, query: str, k: int = 5) -> Found:
        """At most `k` clauses in force, the nearest in meaning first. Raises BadInput for an empty query or k < 1."""
        hits = self.index.search(query, k=k, as_of=self.as_of)
        columns = ["clause", "version", "title", "score", "text"]
        rows = [(one.id, one.version, one.title, hit.score, one.text) for hit in hits for one in [hit.clause]]
        return Found(query, pd.DataFrame(rows, columns=columns))

    def weigh(self, query: str, clause_id: str) -> pd.Series:
        """By how much the score of a clause falls when a word of the query is left out, the weightiest first."""
        model, clause = MiniLM(), self.clause(clause_id)
        texts = {entry.id: entry.text for entry in index_entries(self.book, model.name).values()}
        return retrieval.weight_of_words(model, query, texts[f"{clause.id}@{clause.version}"])

    def recall(self, questions: Mapping[str, Mapping[str, str]] | None = None) -> "Recall":
        """How well questions find their clauses; groups of questions (question -> clause), those of the handbook unless given."""
        groups = questions or {"in a colleague's words": retrieval.PLAIN, "in other words": retrieval.FOREIGN}
        return Recall({name: retrieval.asked(self.index, group, as_of=self.as_of) for name, group in groups.items()})

    def topic(self, mission: str, finding: str) -> str:
        """What grounding asks the index for a finding of a pack."""
        return self._environment.packs[mission].topics[finding]

    def with_draft(self, document: str, edits: Mapping[str, Mapping[str, Any]], in_force_from: date | str) -> "Knowledge":
        """This knowledge with the next version of a document, of which clauses (id -> values) say something else."""
        base = newest(self.book, document)
        changed = {clause: Edit(values=dict(values)) for clause, values in edits.items()}
        draft = redrafted(base.text, base.file, changed, version=base.version + 1, in_force_from=as_day(in_force_from))
        book = with_draft(self.book, draft)
        index = opened.enter_context(KnowledgeIndex.in_memory(book, MiniLM()))
        return Knowledge(replace(self._environment, policies=book, knowledge=index), self.as_of)

    def at(self, day: date | str) -> "Knowledge":
        """The same on another day, such as "2027-07-01" (UTC)."""
        return Knowledge(self._environment, datetime.combine(as_day(day), time(), UTC))

    def grounding(self, walk: Walk) -> pd.DataFrame:
        """What a run was given to cite: a row a clause, by which way it came, and whether it is cited."""
        return retrieval.grounding(walk)

    def cited_by_meaning(self, cases_of: Source = None, ks: Sequence[int] = (1, 3, 5, 10)) -> pd.DataFrame:
        """A row a Mission, a column a k: which share of the clauses to be cited is among the `k` nearest of a finding."""
        given = cases(cases_of)
        missions = dict.fromkeys(case.event.mission for case in given)
        rows = {
            one: retrieval.cited_by_meaning(self._environment, [c for c in given if c.event.mission == one], ks)
            for one in missions
        }
        return pd.DataFrame(rows).T

    def parts(self) -> Iterator[Part]:
        """How much is in force, and a row a document."""
        yield f"{len(self.book.period(self.as_of).clauses):,} clauses are in force on {self.as_of:%B %d, %Y}."
        yield table(self.documents().reset_index().astype({"in_force_from": str}).to_dict("records"))


def knowledge(version: EvalEnvironment | None = None, as_of: date | str | None = None) -> Knowledge:
    """Enterprise Knowledge of what there is, or of another version, as it is in force on a day (UTC), today unless given.

    >>> book = ms.knowledge()
    >>> book.search("An order was shipped but the payment was never captured").plot()
    """
    now = Knowledge(version or present(), utc_now())
    return now if as_of is None else now.at(as_of)
