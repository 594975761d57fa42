"""`missions knowledge`."""

from pathlib import Path

from cli.screen import moment, progress, say, table
from graphs.settings import Settings, settings
from knowledge_index.building import BuildReport, build
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import KnowledgeIndex
from knowledge_index.intents import Intents, shipped
from knowledge_index.policies import PolicyBook


def build_index() -> None:
    """Build the index, learn the phrasings, and say what changed."""
    chosen = settings()
    report = build_knowledge(chosen)
    learn_phrasings(chosen)
    changed = f"{report.added} new, {report.updated} changed, {report.removed} removed and {report.unchanged} unchanged"
    say(f"The knowledge index has {changed} clauses.")


def build_knowledge(chosen: Settings) -> BuildReport:
    """Build the index of the settings, with a progress bar."""
    with progress("knowledge", None) as advance:
        return build(PolicyBook.load(chosen.policies), chosen.knowledge, MiniLM(), on_progress=lambda *_: advance())


def learn_phrasings(chosen: Settings) -> None:
    """Have at hand what messages ask for, from every folder of phrasings; with a progress bar where it must be learned."""
    for folder in _phrasings(chosen):
        with progress(f"phrasings: {folder.name}", None) as advance:
            Intents.open(folder, MiniLM(), chosen.language, on_progress=lambda *_: advance()).close()


def ship_phrasings() -> None:
    """Learn every folder of phrasings and keep what was learned beside it."""
    chosen = settings()
    for folder in _phrasings(chosen):
        with progress(f"phrasings: {folder.name}", None) as advance:
            fresh = Intents.ship(folder, MiniLM(), chosen.language, on_progress=lambda *_: advance())
        say(f"{shipped(folder)} {'is made anew; commit it with its phrasings' if fresh else 'is of these phrasings already'}.")


def _phrasings(chosen: Settings) -> list[Path]:
    return sorted(folder for folder in chosen.phrasings.iterdir() if folder.is_dir()) if chosen.phrasings.is_dir() else []


def search_index(query: str, k: int, as_of: str) -> None:
    """Print the clauses that bear on a query."""
    chosen = settings()
    with KnowledgeIndex.open(chosen.knowledge, PolicyBook.load(chosen.policies), MiniLM()) as index:
        hits = index.search(query, k, as_of=moment(as_of))
    table(("score", "clause", "version", "text"), [(f"{hit.score:.2f}", hit.clause_id, hit.version, hit.text) for hit in hits])
