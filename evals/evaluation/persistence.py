"""Keeping an evaluation: its results, with the versions they were made by, as records of `evals.evaluation.store`."""

import getpass
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.evaluation.answers import answer_of
from evals.evaluation.environment import EvalEnvironment, file_digest, versions_of
from evals.evaluation.scorers import Figures, judge, means
from evals.evaluation.store import ALL, CaseFile, EvaluationCase, EvaluationRun, new_id
from evals.recorded.cases import RecordedException
from graphs.transcripts import Exchange
from ledger.canonical import utc_now
from settings import CHECKOUT
from systems.catalogue import Catalogue

_PATIENCE_S = 5


def judged_case(case: RecordedException, result: Mapping[str, Any], catalogue: Catalogue, trial: int = 1) -> EvaluationCase:
    """A case with its result, compared with what was expected of it, if it is known."""
    return EvaluationCase(
        case_id=case.case_id,
        mission=case.event.mission,
        result=answer_of(result),
        expected=None if case.expected is None else answer_of(case.expected),
        figures={} if case.expected is None else judge(case.expected, result, catalogue),
        event=case.event.name,
        trial=trial,
        usage=result.get("usage", {}),
        latency_ms=result.get("latency_ms"),
        transcript=[Exchange(**one) for one in result.get("transcript", ())],
    )


def run_of(
    environment: EvalEnvironment,
    phrasings: Path,
    files: Sequence[Path],
    cases: Collection[EvaluationCase],
    seconds: float,
    by: str = "",
    stopped: str = "",
) -> EvaluationRun:
    """A run that was just finished, over these cases of these files.

    `phrasings` is the folder by which messages were understood; `by` is the account of the machine unless given; `stopped` is why
    it ended before its cases did.
    """
    at = utc_now()
    names = {step.name for case in cases for answer in (case.expected, case.result) if answer for step in answer.actions}
    others = {f"pack {mission}" for mission in environment.packs.keys() - {case.mission for case in cases}}
    versions = {name: version for name, version in versions_of(environment, phrasings).items() if name not in others}
    return EvaluationRun(
        run_id=new_id(at),
        at=at,
        by=by or account(),
        files=[CaseFile(name=file.name, digest=file_digest(file)) for file in files],
        versions={"code": commit(), **versions},
        seconds=seconds,
        cases=len(cases),
        figures=figures_of(cases),
        counting={name: action.counting for name in sorted(names) if (action := environment.catalogue.get(name))},
        trials=max((case.trial for case in cases), default=1),
        stopped=stopped,
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
