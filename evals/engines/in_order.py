"""Jobs in chunks to many workers, and their results in the order of the jobs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice

from evals.cases import RecordedException
from evals.engines.engine import Result
from evals.jobs import Job

#: Jobs that are sent together: to send one takes a tenth of a millisecond, to run it some.
CHUNK = 16
#: Chunks a worker that are under way, so that none waits for work behind one that is slow.
CHUNKS_A_WORKER = 4

Submit = Callable[[list[RecordedException]], Future[list[Result]]]


def in_order(jobs: Iterable[Job], submit: Submit, workers: int) -> Iterator[tuple[Job, Result]]:
    """Each job with its result; at most CHUNKS_A_WORKER chunks a worker are in memory."""
    rest = iter(jobs)
    under_way: deque[tuple[list[Job], Future[list[Result]]]] = deque()
    while True:
        while len(under_way) < workers * CHUNKS_A_WORKER and (chunk := list(islice(rest, CHUNK))):
            under_way.append((chunk, submit([job.case for job in chunk])))
        if not under_way:
            return
        chunk, results = under_way.popleft()
        yield from zip(chunk, results.result(), strict=True)
