"""How long does it take?"""

from evals.scorers.sides import Sides


def latency_ms(sides: Sides) -> float | None:
    """milliseconds from the event to the proposal, on the machine that it ran on"""
    took = sides.result.get("latency_ms")
    return None if took is None else float(took)
