"""The Explain rail where a run is driven on that somebody else did not come to the end of."""

from dataclasses import dataclass, field
from typing import Any

from ledger.memory import MemoryLedger
from ledger.records import NewObservation, Observation
from nodes.state import commit, observe, unfinished
from tests.ledger_examples import NOW, said, started


@dataclass
class _Context:
    ledger: MemoryLedger
    said: list[Observation] = field(default_factory=list)
    echo: list[NewObservation] = field(default_factory=list)


@dataclass
class _Runtime:
    context: _Context
    streamed: list[dict[str, Any]] = field(default_factory=list)

    def stream_writer(self, one: dict[str, Any]) -> None:
        self.streamed.append(one)


def runtime(*before: NewObservation) -> _Runtime:
    ledger = MemoryLedger()
    started(ledger)
    ledger.observe("run-1", before, at=NOW)
    return _Runtime(_Context(ledger, echo=unfinished(ledger.observations("run-1"))))


def say(on: _Runtime, *entries: NewObservation) -> list[str]:
    """What stands on the rail when a step has said these."""
    observe(on, "run-1", entries)  # type: ignore[arg-type]
    commit(on, "run-1")  # type: ignore[arg-type]
    return [one.text for one in on.context.ledger.observations("run-1")]


def test_what_was_said_before_a_process_died_is_not_said_twice() -> None:
    on = runtime(said("a", n=1), said("b"), said("found", step="diagnose"))
    assert say(on, said("a", n=1), said("b")) == ["a", "b", "found"]
    assert say(on, said("found", step="diagnose")) == ["a", "b", "found"]
    assert say(on, said("more", step="ground")) == ["a", "b", "found", "more"]
    assert [one["text"] for one in on.streamed] == ["more"]


def test_what_is_said_otherwise_is_said() -> None:
    on = runtime(said("a", n=1))
    assert say(on, said("a", n=2), said("a", step="ground", n=1)) == ["a", "a", "a"]


def test_from_the_first_difference_on_it_is_another_look_and_all_of_it_is_said() -> None:
    on = runtime(said("begun"), said("stock: 2"), said("found", step="diagnose"))
    assert say(on, said("begun"), said("stock: 0"))[3:] == ["begun", "stock: 0"]
    assert say(on, said("found", step="diagnose"))[5:] == ["found"]


def test_a_further_look_says_the_same_once_more() -> None:
    on = runtime(said("a"))
    assert say(on, said("a")) == ["a"]
    assert say(on, said("a")) == ["a", "a"]


def test_what_came_before_a_proposal_or_a_decision_is_over() -> None:
    passed = said("it passes", step="check", proposal="p-1")
    assert say(runtime(said("a"), passed), said("a")) == ["a", "it passes", "a"]
    assert say(runtime(said("a"), said("rita: approve", step="review")), said("a")) == ["a", "rita: approve", "a"]
    assert say(runtime(said("a"), said("it does not pass", step="check")), said("a")) == ["a", "it does not pass"]


def test_each_is_streamed_with_its_number_once_it_is_kept() -> None:
    on = runtime(said("a", step="review"))
    say(on, said("b"), said("c"))
    told = {"run_id": "run-1", "step": "gather", "kind": "read"}
    assert on.streamed == [{**told, "seq": 2, "text": "b"}, {**told, "seq": 3, "text": "c"}]
