"""Lint of recorded exceptions: cases that cannot fail, cases that cannot pass, and cases that test little.

>>> for fault in lint([Path("evals/cases/order_exception.jsonl")], laboratory):
...     print(fault.sentence)
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from errors import BadInput
from evals.cases import RecordedException, parse_line, recorded
from evals.expected import faults_of_form
from evals.lint_checks import CHECKS, Remark, Severity
from evals.run import Evaluation, Laboratory


@dataclass(frozen=True)
class Fault:
    """What is wrong with one case."""

    file: Path
    #: from 1
    line: int
    #: empty where the line does not tell
    case_id: str
    severity: Severity
    says: str

    @property
    def sentence(self) -> str:
        """File, line, case, what, and what to do."""
        named = f", case {self.case_id}" if self.case_id else ""
        return f"{self.file}, line {self.line}{named}: {self.says}"


def lint(files: Sequence[Path], laboratory: Laboratory) -> Iterator[Fault]:
    """What is wrong with the cases of files, in their order. Raises BadInput for a file that cannot be read."""
    evaluation, seen, ids, noted = Evaluation(laboratory), dict[str, tuple[str, Any]](), set[str](), set[str]()
    for file in files:
        for number, line in _lines(file):
            case_id = ""
            try:
                case = recorded(parse_line(line, ""), laboratory.packs, "")
                case_id = case.case_id
                remarks = [*_double(case, seen, ids), *_remarks(case, evaluation)]
            except BadInput as error:
                remarks = [("error", str(error).removeprefix(": "))]
            for severity, says in remarks:
                if severity != "note" or says not in noted:
                    yield Fault(file, number, case_id, severity, says)
                    noted.add(says)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with file.open("rb") as lines:
            yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); give a file of recorded exceptions") from error


def _remarks(case: RecordedException, evaluation: Evaluation) -> Iterator[Remark]:
    if case.expected is None:
        yield "cannot fail", "nothing is expected of it, so that every answer is right; say what is expected, or take it out"
        return
    malformed = list(faults_of_form(case.expected))
    yield from (("error", f"{says}; see evals/cases/README.md") for says in malformed)
    if not malformed:
        for check in CHECKS:
            yield from check(case, case.expected, evaluation)


def _double(case: RecordedException, seen: dict[str, tuple[str, Any]], ids: set[str]) -> Iterator[Remark]:
    if case.case_id in ids:
        yield "error", "another case has its id; give each case an id of its own"
    ids.add(case.case_id)
    told = [case.event.mission, case.raw["as_of"], case.raw["trigger"], case.raw["systems"]]
    digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
    first, expected = seen.setdefault(digest, (case.case_id, case.expected))
    if first == case.case_id:
        return
    if expected == case.expected:
        yield "warning", f"it is {first} once more under another id and counts twice; take one of them out"
    else:
        yield "error", f"it is {first} once more, and something else is expected of it; one of the two is wrong"
