"""`missions start`: from nothing to the first proposals that wait for a decision."""

import time

from cli.knowing import build_knowledge, learn_phrasings
from cli.running import read_targets, run_events, summary
from cli.screen import console, say
from evals.cases import recorded
from graphs.runtime import open_database, open_runtime
from graphs.settings import CHECKOUT, settings
from systems.sandbox.database import create_schema
from systems.sandbox.loader import load_cases

SAMPLE = CHECKOUT / "evals" / "cases" / "sample.jsonl"
#: The people of the sandbox company.
PEOPLE = {"rita": "reviewer", "sam": "supervisor", "fay": "finance", "finn": "finance"}


def start_all() -> None:
    """Open the database, build the index, load the sample, run a Mission on each, say what waits."""
    chosen, begun = settings(), time.monotonic()
    say(f"Data in {chosen.home}" if not chosen.database_url else "Data in the database that DATABASE_URL names")
    url = open_database(chosen)
    create_schema(url)
    report = build_knowledge(chosen)
    say(f"Knowledge: {report.added + report.updated + report.unchanged} clauses in the index.")
    learn_phrasings(chosen)
    raws = [raw for raw, _ in read_targets(str(SAMPLE))]
    loaded = load_cases(url, raws)
    for case_id, sentence in loaded.refused.items():
        say(f"{case_id} is left out: {sentence}")
    with open_runtime(chosen) as runtime:
        for name, role in PEOPLE.items():
            if runtime.ledger.person(name) is None:
                runtime.ledger.add_person(name, role)
        events = [recorded(raw, runtime.context.packs, str(SAMPLE)).event for raw in raws if raw["case_id"] in loaded.loaded]
        runs = run_events(runtime, events)
        console.print()
        summary(runtime, runs)
    _next_steps([run.run_id for run in runs if run.status == "waiting"], time.monotonic() - begun)


def _next_steps(waiting: list[str], seconds: float) -> None:
    say(f"({seconds:.1f} s)", style="dim")
    if waiting:
        console.print()
        say("What next:", style="bold")
        say(f"  .venv/bin/missions show {waiting[0]}      why this plan and not another")
        say("  .venv/bin/missions queue                everything that waits for a person")
        say(f"  .venv/bin/missions decide {waiting[0]} approve --as rita --reason 'agreed'")
        say(f"  People of the sandbox company: {', '.join(f'{name} ({role})' for name, role in PEOPLE.items())}.")
