"""The one tree of errors, split by who handles them.

    MissionsError
    ├── BadInput        the person who gave it fixes it: one sentence, non-zero exit, nothing half-done
    ├── TryAgain        the caller may repeat the call: a system is down or slow, and nothing was changed
    │   ├── TurnedAway       a system that was called says so itself: who wrote looks at the records before writing again
    │   └── TooMany          a source has used up what it may hand in; who waits `after_s` may go on
    ├── NoAnswer        who asked a model goes on without it: the planner's plan, or what the text said by itself
    ├── SendBack        the reasoner makes another proposal: this one does not pass
    ├── Refused         a person or a caller may not do this, or not any more; nothing was changed
    │   ├── TakenOver        another process works on the run by now; whoever gets this stops
    │   └── OverLimit        it would pass a limit over runs; somebody with more authority decides
    └── Stuck           a run cannot go on by itself: it becomes an incident
        └── OutcomeUnknown   a write was sent and its answer never came

The text of an error is a sentence for a person: what happened, to what, and what to do.
"""

from typing import Literal

from harmless import HIDDEN

#: characters of a sentence, which may quote what is longer
_LONGEST = 4_000


class MissionsError(Exception):
    """Root of every error that this project raises on purpose. Its text is one line, whatever of outside it quotes."""

    def __str__(self) -> str:
        text = super().__str__()
        return HIDDEN.sub(" ", text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def loggable(error: Exception) -> str:
    """What a log may say of an error: the sentence of one of ours, of any other its type, for its text may quote records."""
    return str(error) if isinstance(error, MissionsError) else type(error).__name__


class BadInput(MissionsError):
    """Something given from outside is not as it must be."""


class TryAgain(MissionsError):
    """A passing failure; the same call may succeed later. Nothing was changed by it."""


class TurnedAway(TryAgain):
    """A system was called and answered that it does nothing now. That is its word: its records may belie it."""


class TooMany(TryAgain):
    """A source of events has handed in as much as it may. In `after_s` seconds it may go on, as far as that is known."""

    def __init__(self, says: str, after_s: int) -> None:
        super().__init__(says)
        self.after_s = after_s


class NoAnswer(MissionsError):
    """A model gave no answer that can be used. Its text holds no word of the model or its server.

    `kind` says why: "outage", "limit" (of the server, or of what may be sent), "budget", "malformed", or "blocked", where
    something was about to be sent that must not leave.
    """

    def __init__(self, says: str, kind: Literal["outage", "limit", "budget", "malformed", "blocked"]) -> None:
        super().__init__(says)
        self.kind = kind


class SendBack(MissionsError):
    """A proposal does not pass; `args[0]` says why, for the reasoner and for people."""


class Refused(MissionsError):
    """The call is not allowed: a role, a guard, a system's own invariant, or something already decided."""


class TakenOver(Refused):
    """The lease of a run was lost to another process while this one gave no sign of life."""


class OverLimit(Refused):
    """With what went out before, a plan would pass a limit, and those who approved it may not decide that."""


class Stuck(MissionsError):
    """A run cannot go on by itself and needs a person."""


class OutcomeUnknown(Stuck):
    """A write was sent, and whether it took effect is not known."""
