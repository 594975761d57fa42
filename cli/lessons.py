"""`missions lessons` and `missions record`: what people decided, as something to learn from and as a recorded exception."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import Json, console, in_column, print_json, progress, say, table
from cli.session import decider, open_ledger
from errors import BadInput
from evals.learning import lessons, overruled
from evals.learning.overruled import OverruleRate
from evals.learning.reasons import ReasonGroup, reason_groups, with_blame
from evals.learning.thresholds import Thresholds, thresholds
from evals.recorded.cases import add_case, line_of, read_objects
from evals.recorded.recording import record
from graphs.pack_files import load_packs
from harmless import escaped
from knowledge_index.embeddings import MiniLM
from knowledge_index.policies import PolicyBook
from rendering import clock, plain
from settings import settings
from systems.catalogue import load_catalogue

app = typer.Typer(no_args_is_help=True)
Mission = Annotated[str, typer.Option(help="Of this mission alone.")]
Lesson = Annotated[str, typer.Argument(metavar="LESSON", help="The id of a lesson, or how it begins.")]

#: rows of a table of rates
_AT_ONCE = 15


@app.command("list")
def show_lessons(
    mission: Mission = "",
    every: Annotated[bool, typer.Option("--all", help="Include lessons that were promoted or dropped.")] = False,
    as_json: Json = False,
) -> None:
    """Every edit, rejection, remark, escalation and partial approval; those in quarantine."""
    with open_ledger() as ledger, progress("lessons", None) as advance:
        found = lessons.lessons(ledger, load_catalogue(settings().systems), mission or None, advance)
    shown = [one for one in found if every or one.status == "quarantine"]
    if as_json:
        print_json([one.row() for one in shown])
        return
    if not shown:
        say("There are no lessons." if not found else f"No lesson is in quarantine; {len(found)} with --all.")
        return
    rows = []
    for one in shown:
        did = "; ".join(one.difference.sentences())
        who = f"{one.decision.by} ({one.decision.role})"
        rows.append(
            (one.lesson_id[:8], in_column(one.decision.at), one.run.event.subject, one.proposal.verdict,
             f"{one.decision.kind}: {plain(did, 120)}", who, plain(one.decision.reason, 120), one.status)
        )  # fmt: skip
    table(("lesson", "at", "subject", "proposed", "decided", "by", "because", "status"), rows)


@app.command("show")
def show_lesson(lesson: Lesson, as_json: Json = False) -> None:
    """One lesson: what was proposed, what the person changed and why; with --json its labeled case too."""
    catalogue = load_catalogue(settings().systems)
    with open_ledger() as ledger:
        one = lessons.lesson(ledger, lesson, catalogue)
        case, lacking = None, ""
        try:
            case = lessons.labeled_case(ledger, one, catalogue)
        except BadInput as error:
            lacking = str(error)
    if as_json:
        print_json({**one.row(), "case": case, "lacking": lacking}, indented=True)
        return
    say(f"{one.lesson_id}  {one.run.event.mission}  {one.run.event.subject}  {one.status}", style="bold")
    say(f"{one.decision.by} ({one.decision.role}) decided {one.decision.kind}: “{plain(one.decision.reason)}”")
    say(f"proposed was {one.proposal.verdict}; run {one.run.run_id}, proposal {one.proposal.revision}")
    for sentence in one.difference.sentences():
        say(f"  {sentence}")
    say(f"clauses {', '.join(one.difference.clauses) or '–'}; findings {', '.join(one.difference.findings) or '–'}")
    if lacking:
        say(f"It cannot be promoted: {lacking}.")
    elif one.status == "quarantine":
        say(
            "It says what is right."
            if one.expected
            else "It says what was wrong but not what is right: promote it with --expect."
        )
    elif one.settled:
        what = one.settled.dataset or f"“{one.settled.reason}”"
        say(f"{one.status} by {one.settled.by} at {clock(one.settled.at)}: {what}")


@app.command("promote")
def promote_lesson(
    lesson: Lesson,
    to: Annotated[Path, typer.Option(help="The dataset: a file of recorded exceptions.")],
    expect: Annotated[Path | None, typer.Option(help="A JSON file with what is right, as «expected» of a case.")] = None,
) -> None:
    """Add the labeled case to a dataset, as the person who is signed in: an analyst or an administrator."""
    catalogue, chosen = load_catalogue(settings().systems), settings()
    expected = None
    if expect is not None:  # of an empty file nothing is right
        expected = next((value for value, _ in read_objects(expect, "give a JSON file with what is right", one=True)), {})
    with open_ledger() as ledger:
        by = decider(ledger)
        one = lessons.lesson(ledger, lesson, catalogue)
        # what the person says is right is looked at with the pack
        packs = {} if expected is None else load_packs(chosen.packs, catalogue, PolicyBook.load(*chosen.policy_folders))
        lessons.promote(ledger, one, to, by=by, packs=packs, catalogue=catalogue, expected=expected)
    say(f"{one.lesson_id[:8]} was promoted: case {one.proposal.proposal_id} is in {to}.")


@app.command("drop")
def drop_lesson(lesson: Lesson, reason: Annotated[str, typer.Option(help="The reason, recorded in the audit log.")]) -> None:
    """Nothing is to be learned from it, says the person who is signed in."""
    with open_ledger() as ledger:
        by = decider(ledger)
        one = lessons.lesson(ledger, lesson, load_catalogue(settings().systems))
        lessons.drop(ledger, one, by=by, reason=reason)
    say(f"{one.lesson_id[:8]} is dropped.")


@app.command("report")
def show_report(mission: Mission = "", as_json: Json = False) -> None:
    """Which clauses and findings people overrule, and which thresholds their decisions suggest. It changes nothing."""
    catalogue, chosen = load_catalogue(settings().systems), settings()
    policies = PolicyBook.load(*chosen.policy_folders)
    packs = load_packs(chosen.packs, catalogue, policies)
    with open_ledger() as ledger, progress("decisions", None) as advance:
        found_judged = overruled.judged_proposals(ledger, catalogue, mission or None, advance)
        judged = with_blame(found_judged, packs, policies, MiniLM())
        groups = reason_groups(judged, packs, policies, MiniLM())
        overrules = overruled.overruled(judged)
        found = thresholds(judged, ledger, packs, policies, catalogue, on_progress=advance)
    if as_json:
        reasons = [{**one.row(), "decisions": list(one.decisions)} for one in groups]
        print_json({**overrules.plain(), "reasons": reasons, "thresholds": found.rows()}, indented=True)
        return
    if not judged:
        say("No proposal has been decided yet.")
        return
    hits = sum(one.overruled for one in overrules.judged)
    proposals = "1 proposal" if len(overrules.judged) == 1 else f"{len(overrules.judged)} proposals"
    say(f"{proposals} decided, {hits} overruled; {overrules.sent_back} sent back with a remark.")
    for rate in overrules.as_a_rule:
        say(rate.sentence(), style="bold")
    for name, rates in (
        ("clause", overrules.clauses),
        ("finding", overrules.findings),
        ("verdict", overrules.verdicts),
        ("role", overrules.roles),
    ):
        _rates(name, rates)
    _reasons(groups)
    _thresholds(found)


def _rates(name: str, rates: Sequence[OverruleRate]) -> None:
    console.print()
    shown = [one for one in rates if one.overruled][:_AT_ONCE]
    rows = [(one.name, one.decided, one.overruled, f"{one.rate:.0%}", f"{one.low:.0%} to {one.high:.0%}") for one in shown]
    if rows:
        table((name, "decided", "overruled", "rate", "with 95%"), rows, right=("decided", "overruled", "rate"))
    else:
        say(f"No {name} was overruled.")


def _reasons(groups: Sequence[ReasonGroup]) -> None:
    if groups:
        console.print()
        rows = [(len(one.reasons), one.people, plain(one.says, 120), one.sentence()) for one in groups[:_AT_ONCE]]
        table(("overruled", "people", "because, such as", "which is"), rows, right=("overruled", "people"))


def _thresholds(found: Thresholds) -> None:
    console.print()
    if found.made_otherwise:
        few = found.made_otherwise == 1
        what = (
            "1 proposal would be different today, so it says"
            if few
            else f"{found.made_otherwise} proposals would be different today, so they say"
        )
        say(f"{what} nothing about today's thresholds.")
    for one in found.evidence:
        say(one.sentence(), style="" if one.because else "bold")
        if not one.because:
            say(f"  by decisions {', '.join(decision[:8] for decision in one.moved)}")
    if not found.evidence:
        say("No decision suggests a change of a threshold.")


def record_run(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    out: Annotated[Path | None, typer.Option(help="A file of recorded exceptions, to add it to; default: print it.")] = None,
) -> None:
    """Print the run as a line of JSON, or add it to a file that only this account reads."""
    with open_ledger() as ledger:
        raw = record(ledger, run_id, load_catalogue(settings().systems))
    line = line_of(raw)
    if out is None:
        print(escaped(line.decode()), end="")
        return
    new = add_case(out, raw["case_id"], line)
    label = "with what people decided" if "expected" in raw else "no expected result has been decided yet: it has no «expected»"
    say(f"{raw['case_id']} is recorded in {out}, {label}." if new else f"{raw['case_id']} was already in {out}.")
