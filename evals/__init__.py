"""Evaluation: `evals.open_run("last")` opens a run that was kept."""

from evals.opened import open_run

__all__ = ["open_run"]
