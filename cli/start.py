"""`missions start`: from nothing to the first proposals that wait for a decision."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.knowledge import build_knowledge, learn_phrasings
from cli.run import read_targets, run_events, summary
from cli.screen import console, say, table
from cli.session import open_ledger
from cli.show import who
from dashboard.serving import require_address
from errors import BadInput
from evals.recorded.cases import recorded
from graphs.ledgers import heads_outside
from graphs.runtime import open_database, open_runtime
from ledger.postgres import PostgresLedger
from ledger.records import Proposal
from ledger.services import AdminService
from ledger.sql.auth import ONE_TIME_DAYS
from settings import CHECKOUT, Settings, settings
from systems.config import load_config
from systems.sandbox.loader import load_cases

SAMPLE = CHECKOUT / "evals" / "cases" / "sample.jsonl"
#: The people of the sandbox company, who are made at the first start.
PEOPLE = {
    "admin": "administrator", "rita": "reviewer", "sam": "supervisor", "fay": "finance", "finn": "finance",
    "ana": "analyst", "olga": "auditor", "casey": "customer",
}  # fmt: skip
#: of the sample, with two tickets: casey is this customer
CUSTOMER = "C-45130"


def start_all(
    dashboard: Annotated[bool, typer.Option(help="Open the dashboard at the end, until Ctrl-C; off on build servers.")] = True,
) -> None:
    """Open the database, build the index, load the sample, run a Mission on each, say what waits, make the first people."""
    chosen, begun = settings(), time.monotonic()
    _require_sandbox(chosen)
    opens = dashboard and not chosen.ci
    if opens:  # a port that is taken is refused before anything is done
        require_address(chosen.address, chosen.port)
    say(f"Data in {chosen.home}" if not chosen.database_url else "Data in the database that DATABASE_URL names")
    url = open_database(chosen)
    report = build_knowledge(chosen)
    say(f"Knowledge: {report.added + report.updated + report.unchanged} clauses in the index.")
    learn_phrasings(chosen)
    raws = [raw for raw, _ in read_targets(str(SAMPLE))]
    loaded = load_cases(url, raws)
    for case_id, reason in loaded.refused.items():
        say(f"{case_id} is skipped: {reason}")
    with open_runtime(chosen) as runtime:
        events = [recorded(raw, runtime.context.packs, str(SAMPLE)).event for raw in raws if raw["case_id"] in loaded.loaded]
        runs = run_events(runtime, events)
        console.print()
        summary(runtime, runs)
        proposals = [runtime.ledger.proposal(run.run_id) for run in runs if run.status == "waiting"]
    next_steps([proposal for proposal in proposals if proposal], time.monotonic() - begun)
    with open_ledger() as ledger:
        if chosen.oidc_metadata_url:
            say("People sign in at your provider: `missions user add ADDRESS --role ROLE` for each, an administrator first.")
        else:
            _show_passwords(add_people(ledger))
        heads_outside(chosen).look(ledger)
    if opens:
        from cli.dashboard import open_dashboard  # which loads Streamlit

        open_dashboard()


def _require_sandbox(chosen: Settings) -> None:
    """Raise BadInput where the sample would run on other systems than those of the sandbox company."""
    for name, system in load_config(chosen.systems).systems.items():
        if not system.is_sandbox:
            raise BadInput(
                f"`missions start` tries Missions on the sandbox company, and {name} of {chosen.systems} is a live system; "
                "use `missions knowledge build`, `missions user add` and `missions dashboard` with systems of yours"
            )


def add_people(ledger: PostgresLedger) -> list[tuple[str, str, str]]:
    """Make the people that are not there yet, and accounts for those without one: (name, role, one-time password) of each.

    Who is there already keeps the role. Where an administrator is, nobody is made: from then on it takes two people. That
    one comes last, so that a start that was killed is made good by the next.
    """
    desk, made = AdminService(ledger), list[tuple[str, str, str]]()
    if desk.has_administrator():
        return made
    for name, role in sorted(PEOPLE.items(), key=lambda person: person[1] == "administrator"):
        person = ledger.person(name)
        if person is None:
            _, password = desk.admit(name, role, customer_id=CUSTOMER if role == "customer" else None)
            made.append((name, role, password))
        elif not desk.has_account(name):
            made.append((name, person.role, desk.give_one_time(name)))
    return made


def _show_passwords(passwords: list[tuple[str, str, str]]) -> None:
    console.print()
    if passwords:
        say("One-time passwords, shown now and never again; who signs in chooses one:", style="bold")
        table(("name", "role", "one-time password"), passwords)
    lead = f"Good for {ONE_TIME_DAYS} days." if passwords else "Nobody got a new password: who has none yet got one earlier."
    say(f"{lead} An administrator gives another: .venv/bin/missions user password NAME", style="dim")


def next_steps(waiting: Sequence[Proposal], seconds: float) -> None:
    """Print how long it took and what to do now: a proposal that rita, a reviewer, may approve."""
    say(f"({seconds:.1f} s)", style="dim")
    if waiting:
        first = next((proposal for proposal in waiting if who(proposal) == "reviewer"), waiting[0]).run_id
        console.print()
        say("What next:", style="bold")
        for command, does in (
            (f"show {first}", "why this plan and not another"),
            ("queue", "everything that waits for a person"),
            ("sign-in rita", "or sign in on the dashboard"),
            (f"decide {first} approve --reason 'agreed'", ""),
        ):
            say(f"  .venv/bin/missions {command:<20}  {does}".rstrip())
