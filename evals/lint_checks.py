"""The checks of `evals.lint` on one case whose `expected` is well-formed: each says what is wrong, and what to do."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from errors import SendBack
from evals.cases import RecordedException
from evals.figures import judge
from evals.run import Evaluation
from evals.scorers.sides import Sides
from ledger.records import ROLES
from systems.catalogue import ADDRESS_FIELDS, Action
from systems.reads import READ_TOOLS
from systems.recorded import SYSTEMS
from systems.records import KEYS, Records

#: an "error" cannot be met by any answer; "cannot fail" is met by every one; a "warning" tests less than it seems;
#: a "note" is of many cases, and said of the first
Severity = Literal["cannot fail", "error", "warning", "note"]
Remark = tuple[Severity, str]
Expected = Mapping[str, Any]
Check = Callable[[RecordedException, Expected, Evaluation], Iterator[Remark]]

#: what stands for an argument that does not count
_FREE: Mapping[str, Any] = {"text": "any", "address": dict.fromkeys(ADDRESS_FIELDS, "any")}


def verdict_is_known(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """The pack can end in the verdict."""
    known = evaluation.laboratory.packs[case.event.mission].of(case.event.name).verdicts
    if expected["verdict"] not in known:
        yield "error", f"{expected['verdict']!r} is no verdict of {case.event.mission}; choose one of {', '.join(known)}"


def role_is_known(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """Somebody can have the role."""
    role = expected["approval"]["role"]
    if role not in ROLES:
        yield "error", f"nobody has the role {role!r}; choose one of {', '.join(ROLES)}"
    elif role == "none" and expected["approval"]["four_eyes"]:
        yield "error", "four eyes are expected where nobody approves; say who does, or four_eyes false"


def clauses_are_in_force(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """What is to be cited can be."""
    known = evaluation.laboratory.policies.in_force(case.event.as_of)
    for clause in expected["cite"]:
        if clause not in known:
            yield "error", f"the clause {clause} is not in force at {case.raw['as_of']}; cite one that is, or mend as_of"
    if len(set(expected["cite"])) < len(expected["cite"]):
        yield "warning", "a clause is to be cited twice; name it once"


def actions_are_possible(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """The catalogue and the mission have the actions, with these arguments."""
    lab = evaluation.laboratory
    of_mission = lab.packs[case.event.mission].of(case.event.name).actions
    for planned in expected["actions"]:
        action = lab.catalogue.get(planned["name"])
        if action is None:
            yield "error", f"{planned['name']!r} is no action of the catalogue; choose one of systems/actions.yaml"
            continue
        if action.name not in of_mission:
            yield "error", f"{action.name} is no action of {case.event.mission}: no plan of it can hold it; take it out"
        try:
            action.validate({**planned["args"], **_free(action)})
        except SendBack as error:
            yield "error", f"the expected arguments do not pass: {error}; mend them"


def order_is_possible(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """The pairs of `before` can all be met."""
    before: dict[int, set[int]] = {}
    wanted = Sides(expected, {}, evaluation.laboratory.catalogue).wanted
    for first, then in expected["before"]:
        before.setdefault(then, set()).add(first)
        if first != then and wanted[first] == wanted[then]:
            yield "error", f"expected.before puts the action {first} before {then}, and the two are the same; take the pair out"
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        circle = " before ".join(map(str, error.args[1]))
        yield "error", f"expected.before goes in a circle ({circle}): no order meets it; take a pair out"


def records_are_there(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """The systems have the records that the actions work on."""
    world = _world(case)
    for planned in expected["actions"]:
        action = evaluation.laboratory.catalogue.get(planned["name"])
        path = next(iter(action.looks_at.values()), None) if action else None
        if path is None or not all(name in planned["args"] for name in path.names):
            continue
        if world.at(replace(path, field=None), planned["args"]) is None:
            said = ", ".join(f"{name} {planned['args'][name]}" for name in path.names)
            yield (
                "warning",
                f"{planned['name']} is expected for {said}, and no such record is recorded; record it, or mend the id",
            )


def systems_are_read(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """What the systems say is read by the mission."""
    pack = evaluation.laboratory.packs[case.event.mission].of(case.event.name)
    read = {READ_TOOLS[one.tool].collection for one in pack.reads.values() if one.tool in READ_TOOLS}
    for system, collections in case.systems.items():
        if system not in SYSTEMS:
            yield "error", f"systems.{system} is unknown; choose one of {', '.join(SYSTEMS)}"
            continue
        for name in collections or {}:
            if f"{system}.{name}" not in KEYS:
                yield "warning", f"no tool reads systems.{system}.{name}; take it out, or mend its name"
        if collections and not any(f"{system}.{name}" in read for name in collections):
            yield "note", f"at {case.event.name} nothing that systems.{system} has is ever read; it may be left out"


def systems_matter(case: RecordedException, expected: Expected, evaluation: Evaluation) -> Iterator[Remark]:
    """Without the systems the answer would be another one."""
    if any(case.systems.get(system) is not None for system in SYSTEMS):
        bare = RecordedException(case.case_id, case.event, {}, expected, case.raw)
        figures = judge(expected, evaluation.run(bare), evaluation.laboratory.catalogue)
        if figures["exact"] and figures["cite_recall"] == 1.0 and figures["approval"]:
            yield (
                "warning",
                (
                    "the same answer is right when no system can be reached, so that nothing the systems say is tested; "
                    "record a case in which it matters, or leave only what is missing out"
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
    return {name: _FREE[kind] for name, kind in action.args.items() if isinstance(kind, str) and kind in _FREE}


def _world(case: RecordedException) -> Records:
    world = Records()
    for system, collections in case.systems.items():
        for name, rows in (collections or {}).items():
            if f"{system}.{name}" in KEYS:
                world.add(f"{system}.{name}", rows)
    return world
