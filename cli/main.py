"""The command `missions`. Each command is one function; what it needs is imported when it is called.

(Imports inside functions, because LangGraph, Chroma and MCP take two seconds to load and `missions show` needs none.)
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.eval_group import evaluation
from cli.invoice import invoice
from cli.lessons import lessons
from cli.model import model
from errors import BadInput, MissionsError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__.splitlines()[0])
sandbox = typer.Typer(no_args_is_help=True, help="The sandbox company: six systems over one database.")
knowledge = typer.Typer(no_args_is_help=True, help="Enterprise Knowledge: the index of policy clauses.")
user = typer.Typer(no_args_is_help=True, help="The people: who may decide, look, manage, write in.")
audit = typer.Typer(no_args_is_help=True, help="The audit log.")
incident = typer.Typer(no_args_is_help=True, help="Runs that cannot go on by themselves, and the ways out.")
event = typer.Typer(no_args_is_help=True, help="Events of a file, and those that could not be taken in.")
source = typer.Typer(no_args_is_help=True, help="The systems that may hand events in, by POST /events.")
database = typer.Typer(no_args_is_help=True, help="The database: roles, backup, restore.")
systems = typer.Typer(no_args_is_help=True, help="The systems of record, reached through MCP.")
history = typer.Typer(
    no_args_is_help=True, help="Historical orders: the exceptions in them, and histories made up with known ones."
)
pack = typer.Typer(no_args_is_help=True, help="Mission packs: what Missions read, find, may do and end in, as data.")
shadow = typer.Typer(no_args_is_help=True, help="Another version beside the live one: it reads, and never writes.")
for name, group in (("sandbox", sandbox), ("knowledge", knowledge), ("user", user), ("audit", audit), ("systems", systems)):
    app.add_typer(group, name=name)
app.add_typer(pack, name="pack")
app.add_typer(incident, name="incident")
app.add_typer(event, name="events")
app.add_typer(source, name="source")
app.add_typer(database, name="database")
app.add_typer(evaluation, name="eval")
app.add_typer(lessons, name="lessons")
app.add_typer(shadow, name="shadow")
app.add_typer(history, name="history")
app.add_typer(model, name="model")
app.add_typer(invoice, name="invoice")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def start(
    dashboard: Annotated[bool, typer.Option(help="Open the dashboard at the end, until Ctrl-C; never on a build server.")] = True,
) -> None:
    """Set everything up, take in a sample of exceptions, run a Mission on each, say what waits, and open the dashboard."""
    from cli.starting import start_all
    from graphs.settings import settings

    start_all()
    if dashboard and not settings().ci:
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
    """What waits for a person, most money at stake first."""
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
    cases: Annotated[list[Path] | None, typer.Argument(help="Files of recorded exceptions; those of this checkout.")] = None,
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


@history.command("scan")
def history_scan(
    orders: Annotated[Path, typer.Argument(metavar="ORDERS.parquet", help="Order records or Online Retail: docs/history.md.")],
    out: Annotated[Path, typer.Option(help="Where the exceptions go (parquet).")],
    memory_mb: Annotated[int, typer.Option(help="What the engine may use, MiB; the rest goes to temporary files.")] = 1024,
) -> None:
    """Find the exceptions in a history of orders: double orders and charges, wrong prices, late promises and more."""
    from cli.history import scan_history

    scan_history(orders, out, memory_mb)


@history.command("make")
def history_make(
    lines: Annotated[int, typer.Option(help="About how many order lines.")],
    out: Annotated[Path, typer.Option(help="Where the history goes (parquet).")],
    truth: Annotated[Path, typer.Option(help="Where the exceptions that are in it go (parquet).")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same history.")] = 0,
) -> None:
    """Make a history up, with exceptions, and with what looks like one and is none."""
    from cli.history import make_history

    make_history(lines, seed, out, truth)


@sandbox.command("load")
def sandbox_load(
    cases: list[Path],
    feed: Annotated[
        bool, typer.Option("--feed", help="Put their events on the feed of oms too, from which they are taken in.")
    ] = False,
) -> None:
    """Put recorded exceptions into the sandbox company."""
    from cli.sandboxing import load

    load(cases, feed)


@sandbox.command("reset")
def sandbox_reset() -> None:
    """Empty the sandbox company."""
    from cli.sandboxing import reset_all

    reset_all()


@sandbox.command("serve")
def sandbox_serve(
    system: str, port: Annotated[int | None, typer.Option(help="Serve HTTP here instead of stdio.")] = None
) -> None:
    """Serve one system of the sandbox company over MCP: stdio, or streamable HTTP on a port of this machine."""
    from cli.sandboxing import serve_one

    serve_one(system, port)


@knowledge.command("build")
def knowledge_build() -> None:
    """Build the index from the policies; only what changed is embedded again."""
    from cli.knowing import build_index

    build_index()


@knowledge.command("learn")
def knowledge_learn() -> None:
    """Learn what messages ask for from the phrasings, and keep it beside them for everybody (a minute)."""
    from cli.knowing import ship_phrasings

    ship_phrasings()


@knowledge.command("search")
def knowledge_search(
    query: str,
    k: Annotated[int, typer.Option(min=1, help="How many clauses.")] = 5,
    as_of: Annotated[str, typer.Option(help="A moment such as 2026-03-14T09:30:00Z; now unless given.")] = "",
) -> None:
    """Search the clauses in force as the Missions do."""
    from cli.knowing import search_index

    search_index(query, k, as_of)


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


@user.command("add")
def user_add(
    name: str,
    role: Annotated[str, typer.Option(help="customer, analyst, reviewer, supervisor, finance, administrator or auditor")],
    customer_id: Annotated[str, typer.Option(help="customer: whose orders and messages they see, such as C-45130")] = "",
) -> None:
    """Add a person and print a one-time password, or change a person's role. Takes an administrator."""
    from cli.people import add_person

    add_person(name, role, customer_id)


@user.command("password")
def user_password(name: str) -> None:
    """Print a new one-time password for a person, whose sessions end. Takes an administrator, or a lost password of one."""
    from cli.people import give_password

    give_password(name)


@user.command("list")
def user_list() -> None:
    """The people and their roles."""
    from cli.people import list_people

    list_people()


@incident.command("list")
def incident_list(as_json: Json = False) -> None:
    """What is stuck and why, and which step is in doubt."""
    from cli.incidents import list_incidents

    list_incidents(as_json)


@incident.command("retry")
def incident_retry(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    reason: Annotated[str, typer.Option(help="What was mended; kept in the audit log.")],
    step: Annotated[str, typer.Option(help="Of the step in doubt, as you found it in its system: done or failed.")] = "",
    anew: Annotated[bool, typer.Option("--anew", help="From the beginning, with the pack and policies of today.")] = False,
) -> None:
    """Let a run go on, as the person who is signed in."""
    from cli.incidents import retry

    retry(run_id, reason, step, anew)


@incident.command("close")
def incident_close(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")],
) -> None:
    """Close a run for good, as the person who is signed in: what was done stays done, nothing more will be."""
    from cli.incidents import close

    close(run_id, reason)


@event.command("take")
def events_take(file: Annotated[Path, typer.Argument(help="FILE.jsonl: one event a line; FILE.json: one, or a list.")]) -> None:
    """Take events in, each once; workers run their Missions. What is no event becomes a dead letter."""
    from cli.events import take

    take(file)


@event.command("dead")
def events_dead(as_json: Json = False) -> None:
    """The dead letters: what came as an event and is none, from where, and why."""
    from cli.events import list_dead

    list_dead(as_json)


@event.command("again")
def events_again(
    letter: str, reason: Annotated[str, typer.Option(help="What has changed, such as a new pack; kept in the audit log.")]
) -> None:
    """Take a dead letter in now, as the person who is signed in."""
    from cli.events import again

    again(letter, reason)


@event.command("drop")
def events_drop(letter: str, reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")]) -> None:
    """Settle a dead letter and take nothing in, as the person who is signed in."""
    from cli.events import drop

    drop(letter, reason)


@source.command("add")
def source_add(
    name: Annotated[str, typer.Argument(help="As the system is called whose events it hands in, such as oms.")],
) -> None:
    """Add an event source and print its token, once. Takes an administrator."""
    from cli.sources import add_source

    add_source(name)


@source.command("list")
def source_list() -> None:
    """The event sources."""
    from cli.sources import list_sources

    list_sources()


@source.command("end")
def source_end(name: str) -> None:
    """End an event source: its token is good for nothing any more. Takes an administrator."""
    from cli.sources import end_source

    end_source(name)


@audit.command("verify")
def audit_verify(
    head: Annotated[Path | None, typer.Option(help="The head.json of an export: its row must still be there.")] = None,
    key: Annotated[Path | None, typer.Option(help="Public key (PEM) that signed the head; the one of this installation.")] = None,
    export: Annotated[Path | None, typer.Option(help="Verify the export in this folder, without a database.")] = None,
) -> None:
    """Check the hash chain, and that the ledger is as the audit log says; exit 1 if anything was changed."""
    from cli.auditing import verify_audit

    verify_audit(head, key, export)


@audit.command("export")
def audit_export(
    out: Annotated[Path, typer.Option(help="The folder; an export that is in it is replaced.")] = Path("audit-export"),
) -> None:
    """Write the audit log as JSON lines, with a signed head to be kept elsewhere."""
    from cli.auditing import export_audit

    export_audit(out)


@database.command("roles")
def database_roles() -> None:
    """Make the database roles of reasoner, executor and dashboard, and grant them what they may write."""
    from cli.caring import make_roles

    make_roles()


@database.command("backup")
def database_backup(file: Path) -> None:
    """Write the whole database into a new file, while everybody goes on working."""
    from cli.caring import back_up

    back_up(file)


@database.command("restore")
def database_restore(file: Path) -> None:
    """Put a backup into the database, which must be empty."""
    from cli.caring import restore

    restore(file)


@app.command()
def prune(
    days: Annotated[float | None, typer.Option(min=0, help="Over for how long; MISSIONS_RETENTION_DAYS unless given.")] = None,
) -> None:
    """Delete checkpoints of runs that are over, expired sessions, settled dead letters. Ledger and audit log stay."""
    from cli.caring import prune_all

    prune_all(days)


@systems.command("pin")
def systems_pin() -> None:
    """Pin names, descriptions and schemas of all tools as they are now, after you have reviewed them."""
    from cli.sandboxing import pin_tools

    pin_tools()


@pack.command("validate")
def pack_validate(target: Annotated[str, typer.Argument(metavar="FILE", help="The file of a pack.")]) -> None:
    """Load a pack as the Missions do: what it is, and hints; or the first mistake, with its place and remedy."""
    from cli.packing import validate_pack

    validate_pack(target)


@pack.command("show")
def pack_show(
    target: Annotated[str, typer.Argument(metavar="NAME", help="A mission, or the file of a pack.")],
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart instead.")] = False,
) -> None:
    """A picture of a Mission: how it flows, what it reads, finds, may do and ends in, and who approves."""
    from cli.packing import show_pack

    show_pack(target, mermaid)


@pack.command("diff")
def pack_diff(
    one: Annotated[str, typer.Argument(metavar="A", help="A mission, or the file of a pack.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another one; without it, A is compared with the loaded pack.")] = "",
) -> None:
    """What changed from one pack to another, in findings, options, verdicts, guards and approval."""
    from cli.packing import diff_packs

    diff_packs(one, other)


@shadow.command("run")
def shadow_run(
    name: Annotated[str, typer.Argument(help="A name for what is tried, such as lenient-fraud.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="One value otherwise: FRD-2.elevated=0.8, tier.cancel_order=automate.")
    ] = None,
    policies: Annotated[Path | None, typer.Option(help="The folder of all policies as they would be.")] = None,
    packs: Annotated[Path | None, typer.Option(help="A folder of packs, in place of those of their Missions.")] = None,
    as_of: Annotated[str, typer.Option(help="Of the changed policies those in force at this moment; now unless given.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Runs to come, until it is stopped.")] = False,
    last: Annotated[int | None, typer.Option(help="The last runs, so many of them.")] = None,
) -> None:
    """Run another version on what the live company takes in: real reads, simulated writes, nothing executed."""
    from cli.shadowing import require_one, run

    require_one(follow, last)
    run(name, set_ or [], policies, packs, as_of, last)


@shadow.command("report")
def shadow_report(name: str, as_json: Json = False) -> None:
    """How a shadow agrees with the live version, and with what people decided."""
    from cli.shadowing import show

    show(name, as_json)


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
    except KeyboardInterrupt:
        print("missions: stopped; what was begun goes on when its run is driven again", file=sys.stderr)
        sys.exit(130)
