"""The command `missions`. Each command is one function; what it needs is imported when it is called.

(Imports inside functions, because LangGraph, Chroma and MCP take two seconds to load and `missions show` needs none.)
"""

import errno
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.groups.audit import audit
from cli.groups.database import database
from cli.groups.evaluation import evaluation
from cli.groups.events import event
from cli.groups.history import history
from cli.groups.incident import incident
from cli.groups.invoice import invoice
from cli.groups.knowledge import knowledge
from cli.groups.lessons import lessons
from cli.groups.model import model
from cli.groups.pack import pack
from cli.groups.sandbox import sandbox
from cli.groups.shadow import shadow
from cli.groups.source import source
from cli.groups.systems import systems
from cli.groups.user import user
from errors import BadInput, MissionsError

_HELP = "Exceptions of order operations: what Missions read, find and propose, and what people decide."
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=_HELP)
_GROUPS = {
    "sandbox": sandbox,
    "knowledge": knowledge,
    "user": user,
    "audit": audit,
    "systems": systems,
    "pack": pack,
    "incident": incident,
    "events": event,
    "source": source,
    "database": database,
    "eval": evaluation,
    "lessons": lessons,
    "shadow": shadow,
    "history": history,
    "model": model,
    "invoice": invoice,
}
for name, group in _GROUPS.items():
    app.add_typer(group, name=name)

#: no room on the disk, none in the quota, none that a file of this process may take
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def start(
    dashboard: Annotated[bool, typer.Option(help="Open the dashboard at the end, until Ctrl-C; never on a build server.")] = True,
) -> None:
    """Set everything up, take in a sample of exceptions, run a Mission on each, say what waits, and open the dashboard."""
    from dashboard.address import require_address
    from graphs.settings import settings

    chosen = settings()
    opens = dashboard and not chosen.ci
    if opens:  # a port that is taken is told before anything is done
        require_address(chosen.address, chosen.port)
    from cli.starting import start_all

    start_all()
    if opens:
        from cli.dashboarding import open_dashboard

        open_dashboard()


@app.command()
def run(
    target: Annotated[
        str, typer.Argument(help="FILE.json, FILE.jsonl or FILE.jsonl#CASE: events or recorded exceptions; FILE.xml: an invoice.")
    ],
    every: Annotated[
        bool, typer.Option("--all", help="TARGET is an event, such as account.daily_review: run all subjects.")
    ] = False,
    as_of: Annotated[str, typer.Option(help="--all: the moment, such as 2026-03-14T09:30:00Z; now unless given.")] = "",
) -> None:
    """Take events in and run a Mission on each, to its end or to where it waits for a person."""
    if every:
        from cli.booking import run_book

        run_book(target, as_of)
        return
    if as_of:
        raise BadInput("--as-of belongs to --all; an event of a file has its own as_of")
    from cli.running import run_targets

    run_targets(target)


@app.command()
def show(run_id: Annotated[str, typer.Argument(metavar="RUN")], as_json: Json = False) -> None:
    """The Explain rail of a run: what was read, found, applied, proposed, decided and done."""
    from cli.showing import show_run

    show_run(run_id, as_json)


@app.command()
def queue(as_json: Json = False) -> None:
    """What waits for a person, what is due first at the top."""
    from cli.showing import show_queue

    show_queue(as_json)


@app.command()
def decide(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    kind: Annotated[str, typer.Argument(metavar="approve|edit|reject|respond|escalate")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="edit: STEP.ARGUMENT=VALUE, such as 1.to_location=DC-2")] = None,
    drop: Annotated[list[int] | None, typer.Option(help="edit: leave this step out.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="approve: reject this part of the plan, such as an order.")] = None,
    queue_name: Annotated[str, typer.Option("--queue", help="escalate: to which queue.")] = "operations",
    digest: Annotated[str | None, typer.Option(help="Refuse unless the waiting proposal has this digest.")] = None,
) -> None:
    """Decide about the proposal of a run, as the person who is signed in, and do what follows from it."""
    from cli.deciding import decide_run

    decide_run(run_id, kind, reason, edits=set_ or [], drops=drop or [], without=without or [], queue=queue_name, digest=digest)


@app.command()
def record(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    out: Annotated[
        Path | None, typer.Option(help="A file of recorded exceptions, to which it is added; printed unless given.")
    ] = None,
) -> None:
    """A run as a recorded exception: what it read, and what people decided. It holds what the systems know of customers."""
    from cli.recording import record_run

    record_run(run_id, out)


@app.command("sign-in")
def sign_in(name: str) -> None:
    """Sign in at this command line, for `decide` and `user`. Asks for the password, unless MISSIONS_PASSWORD is set."""
    from cli.signing import sign_in

    sign_in(name)


@app.command("sign-out")
def sign_out() -> None:
    """Sign out."""
    from cli.signing import sign_out

    sign_out()


@app.command("what-if")
def what_if(
    cases: Annotated[list[Path] | None, typer.Argument(help="Files of recorded exceptions; the checkout's unless given.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One value otherwise: FRD-2.elevated=0.8, tier.cancel_order=automate.")
    ] = None,
    policies: Annotated[Path | None, typer.Option(help="The folder of all policies as they would be.")] = None,
    packs: Annotated[Path | None, typer.Option(help="A folder of packs, in place of those of their Missions.")] = None,
    sweep: Annotated[str, typer.Option(help="Try values one after another: FRD-2.elevated=0.5,0.6,0.7.")] = "",
    as_of: Annotated[str, typer.Option(help="What is in force at this moment, of both sides; now unless given.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write what was found here: .json, .csv or .html.")] = None,
) -> None:
    """Replay recorded exceptions with other policies or packs: what would be answered otherwise, and the money that moves."""
    from cli.asking_what_if import ask

    ask(cases or [], set_ or [], policies, packs, sweep, as_of, out)


@app.command()
def worker(
    hands: Annotated[int, typer.Option(min=1, max=64, help="How many runs are driven side by side.")] = 4,
) -> None:
    """Drive the runs that wait for a worker; any number of workers share one PostgreSQL."""
    from cli.working import work

    work(hands)


@app.command()
def sweep() -> None:
    """Prove that every run is running, waiting, an incident or closed; exit 1 where one is not."""
    from cli.working import show_sweep

    show_sweep()


@app.command()
def prune(
    days: Annotated[float | None, typer.Option(min=0, help="Over for how long; MISSIONS_RETENTION_DAYS unless given.")] = None,
) -> None:
    """Delete checkpoints of runs that are over, expired sessions, settled dead letters. Ledger and audit log stay."""
    from cli.caring import prune_all

    prune_all(days)


@app.command()
def dashboard() -> None:
    """Open the dashboard: the Decision Queue, runs, knowledge, evaluations, incidents, and the portal for customers."""
    from cli.dashboarding import open_dashboard

    open_dashboard()


@app.command()
def clean() -> None:
    """Remove the embedded database and the knowledge index of this checkout."""
    from cli.cleaning import clean_home

    clean_home()


def main() -> Any:
    """Run the command; an expected error is one sentence and exit code 1."""
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
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
        print("missions: stopped; what was begun goes on when its run is driven again", file=sys.stderr)
        sys.exit(130)
    finally:
        _flush()


def _flush() -> None:
    """Print what is left; whoever read it may have stopped, as `head` does."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
