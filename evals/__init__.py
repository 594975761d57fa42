"""Evaluation: `evals.open_run("last")` opens a run that was kept."""

from evals.reports.runs import open_run

__all__ = ["open_run"]
