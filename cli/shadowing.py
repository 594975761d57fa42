"""`missions shadow`: another version beside the live one, which reads and never writes; and how they agree."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from cli.asking_what_if import read_changes
from cli.screen import moment, say, say_all
from errors import BadInput
from evals.shadow.following import follow, over_last
from evals.shadow.keeping import ShadowFile, ShadowRun
from evals.shadow.opening import live_url, open_shadow
from evals.shadow.report import report
from graphs.candidate import Change, require_change
from graphs.settings import settings
from ledger.postgres import PostgresLedger
from ledger.roles import reading

#: the live processes of the machine come first
_NICE = 10


def run(name: str, changes: Sequence[str], policies: Path | None, packs: Path | None, as_of: str, last: int | None) -> None:
    """Run a shadow over the last runs, or beside the live company until it is stopped."""
    change = Change(policies, packs, read_changes(changes))
    require_change(change)
    file = ShadowFile(settings().home, name)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    with open_shadow(change, as_of=moment(as_of) if as_of else None) as shadow:
        if last is not None:
            done = over_last(shadow, file, last, _tell)
            say(f"{done:,} runs in {file.path}; `missions shadow report {name}` says how they agree.")
            return
        say(f"The shadow {name} follows the live company (Ctrl-C stops it); `missions shadow report {name}` says how it agrees.")
        follow(shadow, file, _tell)


def show(name: str, as_json: bool) -> None:
    """Print how a shadow agrees with the live version and with people."""
    chosen = settings()
    file = ShadowFile(chosen.home, name)
    file.read()  # a wrong name is told before the database is asked
    with PostgresLedger.open(reading(live_url(chosen))) as ledger:
        found = report(file, ledger)
    if as_json:
        print(orjson.dumps({"matrix": found.matrix(), "missions": found.missions(), "runs": found.rows()}).decode())
        return
    say_all(found)


def _tell(done: ShadowRun) -> None:
    verdict = done.answer.verdict if done.answer else "no answer"
    say(f"{done.run_id} {done.subject}: {verdict}, {done.outcome.replace('_', ' ')}{f' ({done.error})' if done.error else ''}")
    sys.stdout.flush()


def require_one(follow_on: bool, last: int | None) -> None:
    """Raise BadInput unless it is said which runs."""
    if follow_on == (last is not None):
        raise BadInput("say which runs: --follow for those to come, or --last N for the last ones")
