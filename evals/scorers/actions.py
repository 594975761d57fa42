"""Are they the right actions, in whatever order?"""

from collections import Counter

from evals.scorers.sides import Sides


def actions(sides: Sides) -> float:
    """the actions and their arguments are the expected ones, in any order"""
    return float(Counter(sides.wanted) == Counter(sides.given))
