"""`missions lessons`: what people overruled, promoted to a dataset or dropped; and what it says about the policies."""

from pathlib import Path
from typing import Annotated

import typer

lessons = typer.Typer(no_args_is_help=True, help="What people overruled, and what can be learned from it.")

Mission = Annotated[str, typer.Option(help="Of this mission alone.")]
Lesson = Annotated[str, typer.Argument(metavar="LESSON", help="The id of a lesson, or how it begins.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@lessons.command("list")
def list_lessons(
    mission: Mission = "",
    every: Annotated[bool, typer.Option("--all", help="Those that are promoted or dropped too.")] = False,
    as_json: Json = False,
) -> None:
    """Every edit, rejection, remark, escalation and partial approval; those in quarantine."""
    from cli.learning import show_lessons

    show_lessons(mission, every, as_json)


@lessons.command("show")
def show(lesson: Lesson, as_json: Json = False) -> None:
    """One lesson: what was proposed, what the person changed and why; with --json its labelled case too."""
    from cli.learning import show_lesson

    show_lesson(lesson, as_json)


@lessons.command("promote")
def promote(
    lesson: Lesson,
    to: Annotated[Path, typer.Option(help="The dataset: a file of recorded exceptions.")],
    expect: Annotated[Path | None, typer.Option(help="A JSON file with what is right, as «expected» of a case.")] = None,
) -> None:
    """Add the labelled case to a dataset, as the person who is signed in: an analyst or an administrator."""
    from cli.learning import promote_lesson

    promote_lesson(lesson, to, expect)


@lessons.command("drop")
def drop(lesson: Lesson, reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")]) -> None:
    """Nothing is to be learned from it, says the person who is signed in."""
    from cli.learning import drop_lesson

    drop_lesson(lesson, reason)


@lessons.command("report")
def report(mission: Mission = "", as_json: Json = False) -> None:
    """Which clauses and findings people overrule, and which thresholds their decisions suggest. It changes nothing."""
    from cli.learning import show_report

    show_report(mission, as_json)
