"""The messages for when a record is not there, or somebody else has it: the same words in every ledger."""

from collections.abc import Sequence

NO_RUN = "There is no run '{}' in the ledger: `missions queue` shows those that wait."
RUN_ID_TAKEN = "The run id '{}' belongs to another event; give the run a new id."
NO_PROPOSAL = "There is no proposal '{}' in the ledger: see `missions queue` for those that wait."
NO_EFFECT = "There is no effect with the key '{}' in the ledger: it must be intended before it is marked."
MODEL_CALL_TAKEN = "The question '{}' to a model was already started; give the next one a new id."
LEASED = "Run {} is being worked on by another process: wait until it is done."
STILL_SENT = "A step of run {} was sent just now, and its system may still do it: wait a minute, and look whether it did."
GIVEN_UP = "{} closed the run while it was under way."
TAKEN_OVER = "Run {} was taken over by another process, for this one gave no sign of life: nothing more is written here."


def several_runs(prefix: str, found: Sequence[str]) -> str:
    """Of the start of an id that several runs have; five of them are named."""
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
    return f"'{prefix}' names {len(found)} runs ({shown}): give more of the id."
