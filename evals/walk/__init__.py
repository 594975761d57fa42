"""A walk through one Mission, for notebooks: step by step, with another fact, with what was retrieved."""

from evals.walk.walk import NodeStep, Walk

__all__ = ["NodeStep", "Walk"]
