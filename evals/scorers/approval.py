"""Does it go to the right people?"""

from evals.scorers.sides import Sides


def approval(sides: Sides) -> float:
    """goes to the expected role, with four eyes where they are expected"""
    return float(sides.result["approval"] == sides.expected["approval"])
