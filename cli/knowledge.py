"""`missions knowledge`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.screen import moment, progress, say, table
from cli.session import open_ledger
from graphs.policy_versions import ASIDE, read_policies_in_force, restore
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import BuildReport, KnowledgeIndex, build
from knowledge_index.intents import Intents, shipped
from knowledge_index.policies import PolicyBook
from ledger.services import AdminService
from rendering import clock
from settings import Settings, settings

app = typer.Typer(no_args_is_help=True)


@app.command("build")
def build_index() -> None:
    """Build the index from the policies; only what changed is embedded again."""
    chosen = settings()
    report = build_knowledge(chosen)
    learn_phrasings(chosen)
    changed = f"{report.added} new, {report.updated} changed, {report.removed} removed and {report.unchanged} unchanged"
    say(f"The knowledge index has {changed} clauses.")


def build_knowledge(chosen: Settings) -> BuildReport:
    """Build the index of the settings, with a progress bar."""
    with progress("knowledge") as advance:
        return build(PolicyBook.load(*chosen.policy_folders), chosen.knowledge, MiniLM(), on_progress=advance)


def learn_phrasings(chosen: Settings) -> None:
    """Have at hand what messages ask for, from every folder of phrasings; with a progress bar where it must be learned."""
    for folder in _phrasings(chosen):
        with progress(f"phrasings: {folder.name}") as advance:
            Intents.open(folder, MiniLM(), chosen.language, on_progress=advance).close()


@app.command("status")
def show_status() -> None:
    """Which policies decide, and which files of the folder say something else and are not in force."""
    with open_ledger() as ledger:
        kept = AdminService(ledger).policies_kept()
    current = read_policies_in_force(settings(), kept)
    saved = f"The policies in force were saved on {clock(kept[0].at)} by {kept[0].by}." if kept else ""
    say(saved or "No policies are in force yet: the first start takes those of the folder.")
    for message in current.messages() or ["Nothing in the folder is held back."]:
        say(message)


@app.command("restore")
def restore_policies() -> None:
    """Put back the files of policies that are in force, where the folder says something else; that is put aside."""
    chosen = settings()
    with open_ledger() as ledger:
        kept = AdminService(ledger).policies_kept()
    current = read_policies_in_force(chosen, kept)
    if not current.held_back:
        say("Nothing in the folder is held back.")
        return
    put_back = restore(chosen, kept[0], current)
    say(f"{', '.join(put_back)} restored; the files that were there now have names that end with {ASIDE}.")


@app.command("learn")
def ship_phrasings() -> None:
    """Learn what messages ask for from the phrasings, and keep it beside them for everybody (a minute)."""
    chosen = settings()
    for folder in _phrasings(chosen):
        with progress(f"phrasings: {folder.name}") as advance:
            fresh = Intents.ship(folder, MiniLM(), chosen.language, on_progress=advance)
        say(f"{shipped(folder)} {'was rebuilt; commit it with the phrasings' if fresh else 'is already up to date'}.")


def _phrasings(chosen: Settings) -> list[Path]:
    return sorted(folder for folder in chosen.phrasings.iterdir() if folder.is_dir()) if chosen.phrasings.is_dir() else []


@app.command("search")
def search_index(
    query: str,
    k: Annotated[int, typer.Option(min=1, help="How many clauses.")] = 5,
    as_of: Annotated[str, typer.Option(help="A time such as 2026-03-14T09:30:00Z; default: now.")] = "",
) -> None:
    """Search the clauses in force as the Missions do."""
    chosen = settings()
    with KnowledgeIndex.open(chosen.knowledge, PolicyBook.load(*chosen.policy_folders), MiniLM()) as index:
        hits = index.search(query, k, as_of=moment(as_of))
    rows = [(f"{hit.score:.2f}", hit.clause.id, hit.clause.version, hit.clause.text) for hit in hits]
    table(("score", "clause", "version", "text"), rows)
