"""What people's reasons are about: the clauses that a reason blames, reasons of one meaning, and what they name that is not read.

Nearness is that of the knowledge index (all-MiniLM-L6-v2). It takes blame away only where a reason is clearly about something
else: "no" blames all that the proposal stood on.

>>> judged = with_blame(judged_proposals(ledger, catalogue), packs, policies, MiniLM())
>>> pandas.DataFrame(group.row() for group in reason_groups(judged, packs, policies, MiniLM()))
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from evals.learning.judged import JudgedProposal
from knowledge_index.embeddings import Embedder
from knowledge_index.policies import PolicyBook
from ledger.canonical import utc_now
from nodes.pack import Pack, texts

#: cosine from which a reason is about a clause, how far behind the nearest another may be, and from which reasons are alike
ABOUT, BEHIND, ALIKE = 0.40, 0.15, 0.45
#: of a group: reasons that must name a word, and the share of them
LEAST_NAMING, LEAST_SHARE = 2, 0.4
#: words of four letters and more that name no fact
_SAYING_NOTHING = """
    about after again against almost already also although always another anyway because been before being below between both came
    cannot come could does doing done down during each either else even ever every from given gives goes going gone have having
    here however into its itself just know last least less like look made make many maybe might more most much must need needs
    never next nobody none nothing only onto other ours over please really right said same says seems several should since some
    somebody something still such sure take than that their them then there these they this those through today told took under
    until upon very want wants was well went were what when where whether which while whole will with within without wrong would
    your yours reject rejected approve approved escalate decision proposal think thinks agree disagree
    agreed okay fine good best better
"""


@dataclass(frozen=True, kw_only=True)
class ReasonGroup:
    """Reasons of one meaning with which people overruled proposals of a Mission."""

    mission: str
    #: the reason that is most like the others
    says: str
    reasons: Sequence[str]
    decisions: Sequence[str]
    people: int
    #: the clauses that they are about, the nearest first; none where that is not clear
    clauses: Sequence[str]
    #: what several of them name and neither a read, a finding nor a clause of the Mission does, and how often
    missing: Sequence[tuple[str, int]]

    def row(self) -> dict[str, Any]:
        """For a table."""
        return {
            "mission": self.mission, "overruled": len(self.reasons), "people": self.people, "says": self.says,
            "about": ", ".join(self.clauses), "missing": ", ".join(word for word, _ in self.missing),
        }  # fmt: skip

    def sentence(self) -> str:
        """For a person to read, without the reasons themselves."""
        about = f"about {', '.join(self.clauses)}" if self.clauses else "not clearly about a clause"
        named = ", ".join(f"“{word}” ({times} of {len(self.reasons)})" for word, times in self.missing)
        return f"{about}{f'; the Mission reads nothing of {named}' if named else ''}"


class ReasonReader:
    """What the reasons of one Mission can be about."""

    def __init__(self, pack: Pack, policies: PolicyBook, embedder: Embedder) -> None:
        in_force = policies.period(utc_now()).clauses
        cited = dict.fromkeys(clause for part in pack.and_parts for clause in texts(part, "clause"))
        self._pack, self._embedder = pack, embedder
        self._clauses = {clause: in_force[clause] for clause in cited if clause in in_force}
        titles = [f"{one.policy_title}: {one.title}" for one in self._clauses.values()]
        whole = [f"{title}. {one.text}" for title, one in zip(titles, self._clauses.values(), strict=True)]
        # a short reason is often nearer to a title than to all that the clause says
        self._clause_rows = np.stack([embedder.embed(whole), embedder.embed(titles)])
        self._topics = {finding: topic for part in pack.and_parts for finding, topic in part.topics.items()}
        self._topic_rows = embedder.embed(list(self._topics.values()))[np.newaxis]

    def clauses(self, reason: str) -> list[str]:
        """Those that a reason is about, the nearest first; none where that is not clear."""
        return self._near(reason, list(self._clauses), self._clause_rows)

    def findings(self, reason: str) -> list[str]:
        """The findings that a reason is about, likewise."""
        return self._near(reason, list(self._topics), self._topic_rows)

    def _near(self, reason: str, names: Sequence[str], rows: Any) -> list[str]:
        if not (names and reason.strip()):
            return []
        nearness = (rows @ self._embedder.embed([reason])[0]).max(axis=0)
        best = float(nearness.max())
        if best < ABOUT:
            return []
        return [names[place] for place in np.argsort(-nearness) if nearness[place] >= best - BEHIND]

    @cached_property
    def known(self) -> frozenset[str]:
        """The stems of all that the Mission reads, finds and cites."""
        sources = [source for part in self._pack.and_parts for source in (*part.expressions, *part.reads)]
        return frozenset(_words(" ".join((*sources, *self._topics.values(), *(c.text for c in self._clauses.values())))))


def with_blame(
    judged: Sequence[JudgedProposal], packs: Mapping[str, Pack], policies: PolicyBook, embedder: Embedder
) -> list[JudgedProposal]:
    """The judged proposals; where one was overruled as a whole, only what its reason is about is blamed, if that is clear."""
    readers = _readers(judged, packs, policies, embedder)
    return [_blamed(one, readers[one.run.event.mission]) if one.run.event.mission in readers else one for one in judged]


def _blamed(one: JudgedProposal, reader: ReasonReader) -> JudgedProposal:
    if not one.difference.whole or not (about := reader.clauses(one.decision.reason)):
        return one
    findings = set(reader.findings(one.decision.reason))
    blamed = replace(
        one.difference,
        clauses=among(one.difference.clauses, about),
        findings=[name for name in one.difference.findings if not findings or name in findings],
    )
    return replace(one, difference=blamed, about=tuple(about))


def among(clauses: Iterable[str], about: Collection[str]) -> list[str]:
    """The clauses that a reason is about; where it is about none of them, those of the same policy."""
    known = list(clauses)
    return [one for one in known if one in about] or [one for one in known if is_of_one_policy(one, about)]


def is_of_one_policy(clause: str, about: Iterable[str]) -> bool:
    """Whether a clause stands in the policy of one of the others."""
    return clause.rpartition("-")[0] in {one.rpartition("-")[0] for one in about}


def reason_groups(
    judged: Sequence[JudgedProposal], packs: Mapping[str, Pack], policies: PolicyBook, embedder: Embedder
) -> list[ReasonGroup]:
    """The reasons of what was overruled or sent back, by Mission and meaning; the largest groups first."""
    said = [one for one in judged if one.overruled and one.decision.reason.strip()]
    groups = []
    for mission, reader in _readers(said, packs, policies, embedder).items():
        of = [one for one in said if one.run.event.mission == mission]
        rows = embedder.embed([one.decision.reason for one in of])
        groups += [_group(mission, [of[place] for place in places], reader) for places in _alike(rows @ rows.T)]
    return sorted(groups, key=lambda one: (-len(one.reasons), one.mission, one.says))


def _readers(
    judged: Iterable[JudgedProposal], packs: Mapping[str, Pack], policies: PolicyBook, embedder: Embedder
) -> dict[str, ReasonReader]:
    missions = sorted({one.run.event.mission for one in judged} & packs.keys())
    return {mission: ReasonReader(packs[mission], policies, embedder) for mission in missions}


def _alike(nearness: Any) -> list[list[int]]:
    """Places in groups, the one with the most that are like it first; the first of a group is the one that they are like."""
    left, found, near = set(range(len(nearness))), [], nearness >= ALIKE
    while left:
        middle = max(
            sorted(left), key=lambda place: (sum(near[place, other] for other in left), nearness[place, list(left)].sum())
        )
        group = [middle, *sorted(other for other in left if other != middle and near[middle, other])]
        found.append(group)
        left -= set(group)
    return found


def _group(mission: str, of: Sequence[JudgedProposal], reader: ReasonReader) -> ReasonGroup:
    reasons, nothing = [one.decision.reason for one in of], set(_words(_SAYING_NOTHING))
    told = [{stem: word for stem, word in _words(reason).items() if stem not in reader.known | nothing} for reason in reasons]
    times, forms = Counter(stem for words in told for stem in words), Counter(word for words in told for word in words.values())
    least = max(LEAST_NAMING, LEAST_SHARE * len(reasons))
    named = sorted((stem for stem in times if times[stem] >= least), key=lambda stem: (-times[stem], stem))
    return ReasonGroup(
        mission=mission, says=reasons[0], reasons=reasons, decisions=[one.decision.decision_id for one in of],
        people=len({one.decision.by for one in of}), clauses=reader.clauses(reasons[0])[:3],
        missing=[(max({words[stem] for words in told if stem in words}, key=lambda word: (forms[word], word)), times[stem])
                 for stem in named],
    )  # fmt: skip


def _words(text: str) -> dict[str, str]:
    """Stem -> word, of words of four letters and more: in lowercase, without the endings of a plural or a past."""
    found = re.findall(r"[^\W\d_]{4,}", text.casefold())
    return {re.sub(r"(?<=\w{4})(ing|ed|es|s)$", "", word): word for word in found}
