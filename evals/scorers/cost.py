"""What an answer takes: `usage` of a result is a plain mapping, and what it does not name was not used."""

from evals.scorers.sides import Sides


def reads(sides: Sides) -> float | None:
    """reads that were made of the systems"""
    return _used(sides, "reads")


def tries(sides: Sides) -> float | None:
    """drafts that were made until one passed the check, or none did"""
    return _used(sides, "tries")


def tokens(sides: Sides) -> float | None:
    """tokens that a model read and wrote"""
    return _used(sides, "tokens")


def cost_cents(sides: Sides) -> float | None:
    """what the model cost, in US cents"""
    return _used(sides, "cost_cents")


def retries(sides: Sides) -> float | None:
    """questions that were sent to a model again, because its server did not answer"""
    return _used(sides, "retries")


def _used(sides: Sides, what: str) -> float | None:
    usage = sides.result.get("usage")
    return None if usage is None else float(usage.get(what, 0))
