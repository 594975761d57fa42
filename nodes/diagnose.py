"""diagnose: turn facts into findings, all dimensions at once; the value lies in how they combine."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.case import Case
from nodes.rail import NewObservation, observe
from nodes.state import MissionContext, MissionState
from systems.conditions import Unknown


def diagnose(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Evaluate every finding of the pack on the facts."""
    context, run_id = runtime.context, state["run_id"]
    run = context.ledger.run(run_id)
    findings = find(context.case(run, state["look"]))
    told = [
        NewObservation("diagnose", "finding", finding["says"], {"finding": finding["id"], "facts": finding["facts"]})
        for finding in findings
        if not finding["lacking"]
    ]
    observe(runtime, run_id, told)
    # what a finding is about stays with the case: an order may hold text of any length
    return {"findings": [{"id": finding["id"], "lacking": finding["lacking"]} for finding in findings]}


def find(case: Case) -> list[dict[str, Any]]:
    """The findings that are so, and those that cannot be told, in the order of the pack.

    Each is {"id", "dimension", "about": {name: element}, "says", "facts": [names of the reads it is made of],
    "lacking": [why it cannot be told]}.
    They are worked out once for a case.
    """
    if case.findings is None:
        case.findings = _find(case)
    return case.findings


def _find(case: Case) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for dimension, findings in case.pack.findings.items():
        for finding in findings:
            case.consulted.clear()
            try:
                for about in case.elements(finding.each):
                    if case.holds(finding.when, about):
                        says = case.sentence(finding.says, about)
                        told = {"dimension": dimension, "about": about, "says": says, "facts": case.behind(finding.id)}
                        found.append({"id": finding.id, **told, "lacking": []})
            except Unknown as unknown:
                lacking = case.lacking(unknown)
                found.append({"id": finding.id, "dimension": dimension, "about": {}, "says": "", "facts": [], "lacking": lacking})
    return found
