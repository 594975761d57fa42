"""Is it the right verdict?"""

from evals.scorers.sides import Sides


def verdict(sides: Sides) -> float:
    """the verdict is the expected one"""
    return float(sides.result["verdict"] == sides.expected["verdict"])
