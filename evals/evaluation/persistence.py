"""Keeping an evaluation: its results, with the versions they were made by, as records of `evals.evaluation.store`."""

import getpass
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.evaluation.environment import EvalEnvironment, file_digest, versions_of
from evals.evaluation.jobs import Job
from evals.evaluation.scorers import Figures, judge, means
from evals.evaluation.store import ALL, CaseAnswer, CaseFile, EvaluationCase, EvaluationRun, PlanStep, new_id
from evals.recorded.cases import RecordedException
from ledger.canonical import utc_now
from settings import CHECKOUT
from systems.catalogue import Catalogue

_PATIENCE_S = 5


def case_of(case: RecordedException, result: Mapping[str, Any], figures: Figures | None, trial: int = 1) -> EvaluationCase:
    """One case as it is kept; `figures` are None where nothing was expected of it."""
    return EvaluationCase(
        case_id=case.case_id,
        mission=case.event.mission,
        result=_answer(result),
        expected=None if case.expected is None else _answer(case.expected),
        figures=figures or {},
        event=case.event.name,
        trial=trial,
        usage=result.get("usage", {}),
        latency_ms=result.get("latency_ms"),
    )


def judged_case(job: Job, result: Mapping[str, Any], catalogue: Catalogue) -> EvaluationCase:
    """A case with its result, compared with what was expected of it, if it is known."""
    known = None if job.case.expected is None else judge(job.case.expected, result, catalogue)
    return case_of(job.case, result, known, job.trial)


def _answer(raw: Mapping[str, Any]) -> CaseAnswer:
    tiers = raw.get("tiers") or [""] * len(raw["actions"])
    steps = [PlanStep(name=one["name"], args=one["args"], tier=tier) for one, tier in zip(raw["actions"], tiers, strict=True)]
    return CaseAnswer(
        verdict=raw["verdict"],
        actions=steps,
        cite=raw["cite"],
        role=raw["approval"]["role"],
        four_eyes=raw["approval"]["four_eyes"],
        before=[tuple(pair) for pair in raw.get("before", ())],
        money_at_stake_cents=raw.get("money_at_stake_cents"),
        confidence=raw.get("confidence"),
    )


def run_of(
    environment: EvalEnvironment,
    phrasings: Path,
    files: Sequence[Path],
    cases: Collection[EvaluationCase],
    seconds: float,
    by: str = "",
) -> EvaluationRun:
    """A run that was just finished, over these cases of these files.

    `phrasings` is the folder by which messages were understood; `by` is the account of the machine unless given.
    """
    at = utc_now()
    names = {step.name for case in cases for answer in (case.expected, case.result) if answer for step in answer.actions}
    return EvaluationRun(
        run_id=new_id(at),
        at=at,
        by=by or account(),
        files=[CaseFile(name=file.name, digest=file_digest(file)) for file in files],
        versions=_versions(environment, phrasings, {case.mission for case in cases}),
        seconds=seconds,
        cases=len(cases),
        figures=figures_of(cases),
        counting={name: action.counting for name in sorted(names) if (action := environment.catalogue.get(name))},
        trials=max((case.trial for case in cases), default=1),
    )


def figures_of(cases: Iterable[EvaluationCase]) -> dict[str, dict[str, float | None]]:
    """{mission: {"cases": int, figure: mean}}, with those over all; nothing of cases of which nothing was expected."""
    groups: dict[str, list[Figures]] = {}
    for case in cases:
        if case.figures:
            groups.setdefault(case.mission, []).append(case.figures)
    everything = [one for ones in groups.values() for one in ones]
    return {name: {"cases": len(ones), **means(ones)} for name, ones in {**groups, ALL: everything}.items() if ones}


def account() -> str:
    """The account of the machine; empty where it has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's number without a name
        return ""


def commit() -> str:
    """The git commit of the checkout, with a mark where files are changed; empty where git does not know."""
    command = ["git", "describe", "--always", "--dirty= with changes", "--exclude=*"]
    try:
        return subprocess.check_output(command, cwd=CHECKOUT, stderr=subprocess.DEVNULL, text=True, timeout=_PATIENCE_S).strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _versions(environment: EvalEnvironment, phrasings: Path, missions: set[str]) -> dict[str, str]:
    others = {f"pack {mission}" for mission in environment.packs.keys() - missions}
    return {"code": commit()} | {
        name: version for name, version in versions_of(environment, phrasings).items() if name not in others
    }
