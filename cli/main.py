"""The command `missions`: what there is, and in which module it stands; each is loaded when it is called."""

import errno
import os
import sys
from importlib import import_module
from typing import Any, TextIO, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from errors import MissionsError
from harmless import Harmless

#: name, where it stands (a function, or the group of a module: `app` unless another is named), what `missions --help` says of it
COMMANDS = (
    ("start", "start:start_all",
     "Set everything up, load a sample of exceptions, run a Mission on each, list what is waiting, and open the dashboard."),
    ("run", "run:run_targets", "Accept events and run a Mission on each until it finishes or waits for a person."),
    ("show", "show:show_run", "The Explain rail of a run: what was read, found, applied, proposed, decided and done."),
    ("queue", "show:show_queue", "Proposals waiting for a person, most urgent first."),
    ("decide", "decide:decide_run",
     "Decide about the proposal of a run, as the person who is signed in, and do what follows from it."),
    ("record", "lessons:record_run",
     "A run as a recorded exception: what it read, and what people decided. It holds what the systems know of customers."),
    ("sign-in", "session:sign_in",
     "Sign in at this command line, for `decide` and `user`. Asks for the password, unless MISSIONS_PASSWORD is set."),
    ("sign-out", "session:sign_out", "Sign out."),
    ("what-if", "what_if:ask",
     "Replay recorded exceptions with other policies or packs: which results would change, and by how much money."),
    ("backtest", "backtest:run_backtest",
     "Run Missions on each exception of a history as it was known at that moment, beside what really happened next."),
    ("worker", "operations:work", "Drive the runs that wait for a worker; any number of workers share one PostgreSQL."),
    ("sweep", "operations:show_sweep", "Prove that every run is running, waiting, an incident or closed; exit 1 where not."),
    ("prune", "operations:prune_all",
     "Delete checkpoints of runs that are over, expired sessions, settled dead letters. Ledger and audit log stay."),
    ("dashboard", "dashboard:open_dashboard",
     "Open the dashboard: the Decision Queue, runs, knowledge, evaluations, incidents, and the portal for customers."),
    ("notebook", "notebook:open_notebooks", "Open the notebooks of analysts in JupyterLab."),
    ("clean", "operations:clean_home", "Remove the embedded database and the knowledge index of this checkout."),
    ("sandbox", "systems:sandbox", "The sandbox company: six systems over one database."),
    ("knowledge", "knowledge", "Enterprise Knowledge: the index of policy clauses."),
    ("user", "user", "The people: who may decide, look, manage, write in."),
    ("audit", "audit", "The audit log."),
    ("systems", "systems", "The systems of record, reached through MCP or REST."),
    ("pack", "pack", "Mission packs: what Missions read, find, may do and end in, as data."),
    ("incident", "decide", "Runs that cannot continue on their own, and how to resolve them."),
    ("events", "events", "Accept events from a file, and settle those that could not be accepted."),
    ("source", "sources", "The systems that may hand events in by HTTP, and how what they send becomes events."),
    ("outgoing", "outgoing", "Who is told of what happens, by signed CloudEvents, and how far each has been told."),
    ("database", "operations", "The database: roles, backup, restore."),
    ("eval", "eval", "Run recorded exceptions and measure the answers; compare runs; hold them to a baseline."),
    ("lessons", "lessons", "What people overruled, and what can be learned from it."),
    ("shadow", "what_if:shadow", "Another version beside the live one: it reads, and never writes."),
    ("history", "history", "Historical orders: the exceptions in them, and histories made up with known ones."),
    ("model", "model", "The language model of MISSIONS_MODEL, which reasoners may ask."),
    ("invoice", "model:invoices", "Invoices in free text: read by a model, looked at by a person, then run."),
)  # fmt: skip
#: no room on the disk, none in the quota, none that a file of this process may take
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LazyCommands(TyperGroup):
    """Commands and groups that are known by name alone, and loaded when they are called.

    LangGraph, Chroma and MCP take seconds to load, and many commands need none or one of them.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": {name: TyperCommand(name, help=says) for name, _, says in COMMANDS}})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See click."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, loaded(name or ""), rest


def loaded(name: str) -> Any:
    """A command or a group of COMMANDS, with what it needs."""
    place, says = next((place, says) for one, place, says in COMMANDS if one == name)
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"cli.{module}"), attribute or "app")
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.help = group.help or says
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(help=says)(found)
    return get_command(alone)


app = typer.Typer(cls=LazyCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def missions() -> None:
    """Exceptions of order operations: what Missions read, find and propose, and what people decide."""


def main() -> Any:
    """Run the command; an expected error is one sentence and exit code 1."""
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    # whatever prints, logs or fails: of what came from outside nothing is followed by a terminal
    if not isinstance(sys.stdout, Harmless):
        sys.stdout, sys.stderr = cast(TextIO, Harmless(sys.stdout)), cast(TextIO, Harmless(sys.stderr))
    try:
        return app()
    except MissionsError as error:
        print(f"missions: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(f"missions: the disk is full{where}: make room, then give the command again", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("missions: stopped; unfinished runs continue when they are resumed", file=sys.stderr)
        sys.exit(130)
    finally:
        _flush()


def _flush() -> None:
    """Print what is left; whoever read it may have stopped, as `head` does."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
