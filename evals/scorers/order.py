"""Does what must be done first come first?"""

from evals.scorers.sides import Sides


def order(sides: Sides) -> float | None:
    """of the pairs of actions whose order matters, as far as both are there, every one is in order"""
    wanted, given = sides.wanted, sides.given
    pairs = [(wanted[i], wanted[j]) for i, j in sides.expected["before"]]
    places = [(given.index(first), given.index(then)) for first, then in pairs if first in given and then in given]
    return float(all(first < then for first, then in places)) if places else None
