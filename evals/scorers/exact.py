"""Is it right in what counts?"""

from evals.scorers.actions import actions
from evals.scorers.order import order
from evals.scorers.sides import Sides
from evals.scorers.verdict import verdict


def exact(sides: Sides) -> float:
    """verdict, actions, their arguments and their order are all as expected"""
    return float(bool(verdict(sides) and actions(sides) and order(sides) != 0.0))
