"""`missions run EVENT --all`: every subject of a book, ranked."""

from cli.running import run_events
from cli.screen import dollars, moment, say, table
from cli.showing import who
from graphs.books import book_events, ranked
from graphs.runtime import open_runtime
from graphs.settings import settings


def run_book(event: str, as_of: str) -> None:
    """Run the Mission of an event on every subject, and print them with the most urgent first."""
    with open_runtime(settings()) as runtime:
        left_out: list[str] = []
        runs = run_events(runtime, book_events(runtime, event, moment(as_of), left_out.append))
        rows = []
        for place, one in enumerate(ranked(runtime, runs), start=1):
            proposal = runtime.ledger.proposal(one.run.run_id)
            waiting = proposal is not None and one.run.status == "waiting"
            waits = who(proposal, runtime.ledger.decisions(one.run.run_id)) if proposal and waiting else "nobody"
            verdict = proposal.verdict if proposal else one.run.status
            rows.append((place, one.run.run_id, one.run.event.subject, verdict, waits, one.says))
        table(("", "run", "subject", "verdict", "waits for", "because"), rows, right=("",))
        for subject in left_out:
            say(f"Left out, for its name cannot be kept: {subject[:60]}")
        waiting_runs = [run for run in runs if run.status == "waiting"]
        at_stake = sum(p.money_at_stake_cents for run in waiting_runs if (p := runtime.ledger.proposal(run.run_id)))
        say(f"{len(runs)} subjects, {len(waiting_runs)} wait for a person, {dollars(at_stake)} at stake.")
