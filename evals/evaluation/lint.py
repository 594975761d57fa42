"""Lint of recorded exceptions: cases that cannot fail, cases that cannot pass, and cases that test little.

>>> for fault in lint([Path("evals/cases/order_exception.jsonl")], environment):
...     print(fault.sentence)
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

import orjson

from errors import BadInput, SendBack
from evals.evaluation.environment import EvalEnvironment, Evaluation
from evals.evaluation.scorers import Sides, judge
from evals.recorded.cases import RecordedException, bounded_lines, parse_line, recorded
from evals.recorded.labels import faults_of_form
from ledger.records import ROLES
from systems.arguments import is_free, sample
from systems.catalogue import Action
from systems.schema import ANSWERS

#: an "error" cannot be met by any answer; "cannot fail" is met by every one; a "warning" tests less than it seems;
#: a "note" is of many cases, and reported for the first
Severity = Literal["cannot fail", "error", "warning", "note"]
Remark = tuple[Severity, str]
Expected = Mapping[str, Any]
Check = Callable[[RecordedException, Expected, Evaluation], Iterator[Remark]]

#: what stands for an argument that does not count


def verdict_is_known(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """The pack can end in the verdict."""
    known = evaluation.environment.packs[case.event.mission].of(case.event.name).verdicts
    if expected["verdict"] not in known:
        yield "error", f"{expected['verdict']!r} is not a verdict of {case.event.mission}; choose one of {', '.join(known)}"


def role_is_known(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """Somebody can have the role."""
    role = expected["approval"]["role"]
    if role not in ROLES:
        yield "error", f"{role!r} is not a role; choose one of {', '.join(ROLES)}"
    elif role == "none" and expected["approval"]["four_eyes"]:
        yield "error", "four eyes are expected where no approval is; name the role, or set four_eyes to false"


def clauses_are_in_force(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """What is to be cited can be."""
    known = evaluation.environment.policies.period(case.event.as_of).clauses
    for clause in expected["cite"]:
        if clause not in known:
            yield "error", f"the clause {clause} is not in force at {case.raw['as_of']}; cite one that is, or fix as_of"
    if len(set(expected["cite"])) < len(expected["cite"]):
        yield "warning", "a clause is expected twice; name it once"


def actions_are_possible(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """The catalogue and the mission have the actions, with these arguments."""
    lab = evaluation.environment
    of_mission = lab.packs[case.event.mission].of(case.event.name).actions
    for planned in expected["actions"]:
        action = lab.catalogue.get(planned["name"])
        if action is None:
            yield "error", f"{planned['name']!r} is not an action of the catalogue; choose one of systems/actions.yaml"
            continue
        if action.name not in of_mission:
            yield "error", f"{action.name} is not an action of {case.event.mission}: no plan of it can contain it; remove it"
        try:
            action.validate({**planned["args"], **_free(action)})
        except SendBack as error:
            yield "error", f"the expected arguments do not pass: {error}; fix them"


def order_is_possible(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """The pairs of `before` can all be met."""
    before: dict[int, set[int]] = {}
    wanted = Sides(expected, {}, evaluation.environment.catalogue).wanted
    for first, then in expected["before"]:
        before.setdefault(then, set()).add(first)
        if first != then and wanted[first] == wanted[then]:
            yield "error", f"expected.before puts the action {first} before {then}, but the two are the same; remove the pair"
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        circle = " before ".join(map(str, error.args[1]))
        yield "error", f"expected.before is circular ({circle}), so no order meets it; remove a pair"


def records_are_there(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """The systems have the records that the actions work on."""
    world = case.records(evaluation.environment.catalogue.record_schema)
    for planned in expected["actions"]:
        action = evaluation.environment.catalogue.get(planned["name"])
        path = next(iter(action.binds.values()), None) if action else None
        if path is None or not all(name in planned["args"] for name in path.names):
            continue
        if world.at(replace(path, field=None), planned["args"]) is None:
            record = ", ".join(f"{name} {planned['args'][name]}" for name in path.names)
            yield (
                "warning",
                f"{planned['name']} is expected for {record}, but no such record is recorded; record it, or fix the id",
            )


def systems_are_read(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """What the systems say is read by the mission."""
    pack = evaluation.environment.packs[case.event.mission].of(case.event.name)
    schema = pack.record_schema
    asked = {one.tool for one in pack.reads.values()}
    read = {schema.tools[tool].collection for tool in asked & schema.tools.keys()}
    for system, collections in case.systems.items():
        for name in collections or {}:
            if f"{system}.{name}" not in schema.collections and name != ANSWERS:
                yield "warning", f"no tool reads systems.{system}.{name}; remove it, or fix its name"
        answered = {f"{system}.{one['tool']}" for one in (collections or {}).get(ANSWERS, ())}
        if collections and answered.isdisjoint(asked) and not any(f"{system}.{name}" in read for name in collections):
            yield "note", f"at {case.event.name} nothing that systems.{system} has is ever read; you can remove it"


def systems_matter(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """Without the systems the answer would be another one."""
    if any(collections is not None for collections in case.systems.values()):
        bare = RecordedException(case.case_id, case.event, {}, expected, case.raw)
        figures = judge(expected, evaluation.run(bare), evaluation.environment.catalogue)
        if figures["exact"] and figures["cite_recall"] == 1.0 and figures["approval"]:
            yield (
                "warning",
                (
                    "the same answer is right when no system can be reached, so the systems' data is not tested; "
                    "record a case in which it matters, or remove only the missing parts"
                ),
            )


CHECKS: tuple[Check, ...] = (
    verdict_is_known,
    role_is_known,
    clauses_are_in_force,
    actions_are_possible,
    order_is_possible,
    records_are_there,
    systems_are_read,
    systems_matter,
)


def _free(action: Action) -> dict[str, Any]:
    return {name: sample(kind, int, 0, "any") for name, kind in action.args.items() if is_free(kind)}


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


def lint(files: Sequence[Path], environment: EvalEnvironment) -> Iterator[Fault]:
    """What is wrong with the cases of files, in their order. Raises BadInput for a file that cannot be read."""
    evaluation, seen, ids, noted = Evaluation(environment), dict[str, tuple[str, Any]](), set[str](), set[str]()
    for file in files:
        for number, line in bounded_lines(file):
            case_id = ""
            try:
                case = recorded(parse_line(line, ""), environment.packs, "")
                case_id = case.case_id
                remarks = [*_double(case, seen, ids), *_remarks(case, evaluation)]
            except BadInput as error:
                remarks = [("error", str(error).removeprefix(": "))]
            for severity, says in remarks:
                if severity != "note" or says not in noted:
                    yield Fault(file, number, case_id, severity, says)
                    noted.add(says)


def _remarks(case: RecordedException, evaluation: Evaluation) -> Iterator[Remark]:
    if case.expected is None:
        yield "cannot fail", "nothing is expected of it, so every answer passes; say what is expected, or remove it"
        return
    malformed = list(faults_of_form(case.expected))
    yield from (("error", f"{says}; see evals/cases/README.md") for says in malformed)
    if not malformed:
        for check in CHECKS:
            yield from check(case, case.expected, evaluation)


def _double(case: RecordedException, seen: dict[str, tuple[str, Any]], ids: set[str]) -> Iterator[Remark]:
    if case.case_id in ids:
        yield "error", "another case has the same id; give each case a unique id"
    ids.add(case.case_id)
    content = [case.event.mission, case.raw["as_of"], case.raw["trigger"], case.raw["systems"]]
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    first, expected = seen.setdefault(digest, (case.case_id, case.expected))
    if first == case.case_id:
        return
    if expected == case.expected:
        yield "warning", f"it is {first} again under another id, so it counts twice; remove one of them"
    else:
        yield "error", f"it is {first} once more, but with a different expected result; one of the two is wrong"
