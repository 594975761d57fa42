"""The way of one exception through the code, from its event to the closed run: `python -m tests.bench.trace O-99308`.

The recorded exception of this subject runs in memory, is approved and executed, twice: what is made once a process (packs,
compiled conditions, what was embedded) is no part of the way. Traced is the second run, with the code of this project that
it calls, in the order of the first call of each. A *function* is one with a name; comprehensions and lambdas are part of the
function in which they stand. A *change of file* is where the next one in this order stands in another file than the one before
it, and a *way back* is a change to a file that was left before.
"""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import RecordedException, read_cases, recorded_files
from graphs.runtime import Runtime
from ledger.memory import MemoryLedger
from ledger.records import ROLES
from settings import CHECKOUT, settings
from systems.recorded import RecordedSystems

#: no part of the way: what drives it here
_APART = (CHECKOUT / "evals", CHECKOUT / "tests", CHECKOUT / ".venv")


@dataclass(frozen=True)
class Route:
    """The functions of a run in the order of their first calls, each (file, name)."""

    functions: Sequence[tuple[str, str]]

    @property
    def files(self) -> list[str]:
        """The files in the order in which they are first entered."""
        return list(dict.fromkeys(file for file, _ in self.functions))

    @property
    def changes(self) -> int:
        """How often the next function stands in another file."""
        return sum(one != other for (one, _), (other, _) in pairwise(self.functions))

    @property
    def back(self) -> int:
        """How many of the changes go back to a file that was left before."""
        return self.changes - len(self.files) + 1

    def lines(self) -> Iterator[str]:
        """The way, file by file, and the counts."""
        for file, functions in groupby(self.functions, key=lambda one: one[0]):
            yield f"{file}: {', '.join(name for _, name in functions)}"
        yield (
            f"\n{len(self.functions)} functions in {len(self.files)} files; "
            f"{self.changes} changes of file, {self.back} of them back to a file left before"
        )


def trace(subject: str) -> Route:
    """The way of the recorded exception of this subject. Raises BadInput where there is none, or its run does not close."""
    environment = EvalEnvironment.open(settings())
    cases = (case for file in recorded_files() for case in read_cases(file, environment.packs))
    case = next((case for case in cases if case.event.subject == subject), None)
    if case is None:
        raise BadInput(f"there is no recorded exception of {subject}; the files in evals/cases name theirs")
    _run(environment, case, Traced())
    traced = Traced()
    _run(environment, case, traced)
    return Route([(str(Path(code.co_filename).relative_to(CHECKOUT)), _name(code)) for code in traced.codes if _is_ours(code)])


class Traced:
    """Every code that is called while it is `on`, in the order of the first calls, whatever thread calls it."""

    def __init__(self) -> None:
        self.codes: dict[CodeType, None] = {}

    @contextmanager
    def on(self) -> Iterator[None]:
        """Take down what is called."""
        threading.setprofile(self._called)
        sys.setprofile(self._called)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _called(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            self.codes.setdefault(frame.f_code)


def _run(environment: EvalEnvironment, case: RecordedException, traced: Traced) -> None:
    """From the event to the end of the run, with an approval of whoever may where one is needed."""
    now: Callable[[], datetime] = lambda: case.event.as_of  # noqa: E731
    systems, ledger, saver = RecordedSystems(case.systems, environment.catalogue, now), MemoryLedger(now), InMemorySaver()
    for role in ROLES[1:]:
        for name in (f"{role} 1", f"{role} 2"):
            ledger.add_person(name, role)
    runtime = Runtime(environment.context(ledger, systems, systems, now), saver, "", ledger)
    with traced.on():
        run = runtime.drive(runtime.take_in(case.event).run_id)
        proposal = ledger.proposal(run.run_id)
        people = 0 if proposal is None or run.status != "waiting" else 1 + proposal.approval.four_eyes
        for number in range(people):
            assert proposal is not None
            runtime.decide(run.run_id, "approve", f"{proposal.approval.role} {number + 1}", "as proposed")
        run = runtime.drive(run.run_id)
    if run.status != "closed":
        raise BadInput(f"the run of {case.case_id} is {run.status} and not closed; trace another one")


def _is_ours(code: CodeType) -> bool:
    file = Path(code.co_filename)
    inside = file.is_relative_to(CHECKOUT) and not any(file.is_relative_to(folder) for folder in _APART)
    # comprehensions, lambdas and modules have names in angle brackets; a class body has no locals of its own
    return inside and not code.co_name.startswith("<") and bool(code.co_flags & 0x2)


def _name(code: CodeType) -> str:
    return code.co_qualname.replace(".<locals>.", ".")


if __name__ == "__main__":
    print("\n".join(trace(sys.argv[1] if len(sys.argv) > 1 else "O-99308").lines()))
