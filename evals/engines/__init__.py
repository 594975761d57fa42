"""Where the jobs of an evaluation run: this is the list of engines.

>>> engine = engine_of("processes", 2, settings())
>>> with engine.open(laboratory, settings()) as run:
...     for job, result in run(jobs): ...
"""

from typing import Literal

from evals.engines.engine import Engine, Run
from evals.engines.here import Here
from evals.engines.on_ray import OnRay
from evals.engines.pool import Pool
from graphs.settings import Settings

__all__ = ["Engine", "EngineName", "Run", "engine_of"]

EngineName = Literal["processes", "ray"]


def engine_of(name: EngineName, workers: int | None, chosen: Settings) -> Engine:
    """The engine of that name with so many workers; None: one process, or as many as Ray has processors.

    It begins at once to load what its workers need. Raises BadInput where it is not installed.
    """
    if name == "ray":
        return OnRay(workers, chosen.ray_address)
    return Here() if workers in (None, 1) else Pool(workers)
