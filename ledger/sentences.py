"""What a person is told when a record is not there, or the database is not: the same words in every ledger."""

from collections.abc import Sequence

import psycopg

#: how a server says that it takes no more connections; psycopg gives no code for what fails while it connects
_NO_CONNECTION = ("connection slots", "too many clients", "too many connections")


def away(failed: BaseException, remedy: str = "") -> str:
    """The end of a sentence that begins with a database: what it did not do, and the remedy where none is clearer."""
    lines = str(failed).strip().splitlines()
    said = lines[0] if lines else type(failed).__name__
    if isinstance(failed, psycopg.errors.DiskFull):
        return f"has no room: {said}; make room on its disk"
    if any(words in said for words in _NO_CONNECTION):
        return f"has no connection left: {said}; raise its max_connections, or end what holds them"
    if isinstance(failed, psycopg.errors.LockNotAvailable):
        return f"is held by another session: {said}; try again, and see `missions audit verify` if it stays so"
    return f"did not answer: {said}{remedy and '; '}{remedy}"


def no_run(run_id: str) -> str:
    return f"There is no run '{run_id}' in the ledger: `missions queue` shows those that wait."


def several_runs(prefix: str, found: Sequence[str]) -> str:
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
    return f"'{prefix}' names {len(found)} runs ({shown}): give more of the id."


def run_id_taken(run_id: str) -> str:
    return f"The run id '{run_id}' belongs to another event: give the run an id of its own."


def no_proposal(proposal_id: str) -> str:
    return f"There is no proposal '{proposal_id}' in the ledger: see `missions queue` for those that wait."


def no_effect(key: str) -> str:
    return f"There is no effect with the key '{key}' in the ledger: it must be intended before it is marked."


def model_call_taken(call_id: str) -> str:
    return f"The question '{call_id}' to a model was begun before: give the next one an id of its own."


def leased(run_id: str) -> str:
    return f"Run {run_id} is being worked on by another process: wait until it is done."


def still_sent(run_id: str) -> str:
    return f"A step of run {run_id} was sent just now, and its system may still do it: wait a minute, and look whether it did."


def given_up(by: str) -> str:
    return f"{by} closed the run while it was under way."


def ended(run_id: str) -> str:
    return f"Run {run_id} goes on no more, as somebody decided: nothing more is sent for it."


def taken_over(run_id: str) -> str:
    return f"Run {run_id} was taken over by another process, for this one gave no sign of life: nothing more is written here."
