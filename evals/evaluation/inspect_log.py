"""A kept run in the log format of Inspect AI (version 2, JSON), so that its viewer opens it: `inspect view`.

https://inspect.aisi.org.uk/eval-logs.html: a sample a case and trial, with what the model was asked and answered as its messages,
what came out as its answer, what was expected as its target, and the figures as its scores.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson

from evals.evaluation.answers import CaseAnswer
from evals.evaluation.comparison import wrongs
from evals.evaluation.measured import measured
from evals.evaluation.scorers import BY_NAME
from evals.evaluation.store import EvaluationCase, EvaluationRun, StoredEvaluation

_VERSION = 2
#: of yes and no, as Inspect's own scorers write them: correct, incorrect
_LETTERS = {1.0: "C", 0.0: "I"}


def log_name(run: EvaluationRun) -> str:
    """What the file of a log is called: Inspect's viewer lists no other names (time, task, id without a dash)."""
    return f"{run.at:%Y-%m-%dT%H-%M-%S}+00-00_missions_{run.run_id.replace('-', '')}.json"


def inspect_log(kept: StoredEvaluation) -> dict[str, Any]:
    """The log of a run: a JSON object."""
    run, cases = kept.run, kept.cases
    model = run.versions.get("model") or f"missions/{run.versions.get('reasoner', 'planner')}"
    at, ids = run.at.isoformat(), list(dict.fromkeys(case.case_id for case in cases))
    files = ", ".join(file.name for file in run.files)
    return {
        "version": _VERSION,
        # Inspect's word for one that was ended before its cases were
        "status": "cancelled" if run.stopped else "success",
        "eval": {
            "eval_id": run.run_id, "run_id": run.run_id, "task_id": run.run_id, "created": at, "task": "missions",
            "task_display_name": f"Missions: {files}", "model": model, "config": {"epochs": run.trials},
            "dataset": {"name": files, "samples": len(ids), "sample_ids": ids, "shuffled": False},
            "metadata": {"by": run.by, "stopped": run.stopped, "versions": run.versions},
        },
        "plan": {"name": run.versions.get("reasoner", "planner")},
        "results": {"total_samples": len(cases), "completed_samples": len(cases), "scores": _scores(cases)},
        "stats": {"started_at": (run.at - timedelta(seconds=run.seconds)).isoformat(), "completed_at": at,
                  "model_usage": _usage(model, cases)},
        "samples": [_sample(case, model) for case in cases],
    }  # fmt: skip


def _scores(cases: Sequence[EvaluationCase]) -> list[dict[str, Any]]:
    found = []
    for one in measured([case for case in cases if case.figures]):
        if one.interval is not None:
            values = {"mean": one.interval.mean, "ci_low": one.interval.low, "ci_high": one.interval.high}
            metrics = {name: {"name": name, "value": value} for name, value in values.items()}
            found.append({"name": one.scorer.name, "scorer": one.scorer.name, "scored_samples": one.cases, "metrics": metrics})
    return found


def _usage(model: str, cases: Sequence[EvaluationCase]) -> dict[str, Mapping[str, int]]:
    total: defaultdict[str, int] = defaultdict(int)
    for exchange in (one for case in cases for one in case.transcript):
        total["input_tokens"] += exchange.input_tokens
        total["output_tokens"] += exchange.output_tokens
        total["total_tokens"] += exchange.input_tokens + exchange.output_tokens
    return {model: total} if total else {}


def _sample(case: EvaluationCase, model: str) -> dict[str, Any]:
    messages = [message for one in case.transcript for message in _messages(one.system, one.user, one.answer, one.error)]
    said = _text(case.result)
    reply = {"role": "assistant", "content": said, "source": "generate", "model": model}
    wrong = ", ".join(wrongs(case))
    return {
        "id": case.case_id, "epoch": case.trial,
        "input": messages[:2] or f"{case.event} ({case.mission})",
        "target": _text(case.expected) if case.expected else "",
        "messages": messages,
        "output": {"model": model, "choices": [{"message": reply, "stop_reason": "stop"}]},
        "scores": {name: _score(case, name, wrong) for name in BY_NAME if case.figures.get(name) is not None},
        "model_usage": _usage(model, [case]), "total_time": (case.latency_ms or 0) / 1000,
        "metadata": {"mission": case.mission, "event": case.event, **case.usage, "latency_ms": case.latency_ms},
    }  # fmt: skip


def _messages(system: str, user: str, answer: Mapping[str, Any] | None, error: str) -> list[dict[str, Any]]:
    said = error if answer is None else orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode()
    return [{"role": role, "content": content} for role, content in (("system", system), ("user", user), ("assistant", said))]


def _score(case: EvaluationCase, name: str, wrong: str) -> dict[str, Any]:
    value = case.figures[name]
    shown = _LETTERS.get(value, value) if name == "exact" and value is not None else value
    return {"value": shown, "answer": case.result.verdict, "explanation": wrong or "as expected"}


def _text(answer: CaseAnswer) -> str:
    steps = [{"name": step.name, "args": step.args} for step in answer.actions]
    whole = {"verdict": answer.verdict, "actions": steps, "cite": answer.cite, "approval": answer.approval}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()
