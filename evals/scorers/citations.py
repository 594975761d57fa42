"""Are the clauses cited that decided, and no others?"""

from evals.scorers.sides import Sides


def cite_recall(sides: Sides) -> float:
    """share of the expected clauses that are cited"""
    wanted, cited = sides.cites
    return len(wanted & cited) / len(wanted) if wanted else 1.0


def cite_precision(sides: Sides) -> float:
    """share of the cited clauses that are expected"""
    wanted, cited = sides.cites
    return len(wanted & cited) / len(cited) if cited else float(not wanted)
