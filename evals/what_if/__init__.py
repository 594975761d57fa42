"""What if other policies or packs were in force: `what_if` and `sweep`."""

from evals.what_if.comparing import sweep, what_if

__all__ = ["sweep", "what_if"]
