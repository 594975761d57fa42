"""The Chroma index on disk and in memory, with the real model and the real policies."""

import multiprocessing
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from numpy.typing import NDArray

from errors import BadInput
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import BuildReport, KnowledgeIndex, build
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook

JUNE = datetime(2025, 6, 15, 12, tzinfo=UTC)
QUESTION = "How many days does a customer have to return something?"


class CountingEmbedder:
    """The real model, counting the texts that it is given."""

    def __init__(self, name: str = MiniLM.name) -> None:
        self.name = name
        self.texts: list[str] = []
        self._model = MiniLM()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts.extend(texts)
        return self._model.embed(texts)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A folder with two of the reference policies, to be changed at will."""
    folder = tmp_path / "policies"
    folder.mkdir()
    for name in ("FRD.md", "REF.md"):
        shutil.copy(REFERENCE_POLICIES / name, folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "an index"


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def supersede(policies: Path, days: str) -> None:
    """REF version 2, in force from July, with another return window."""
    text = (policies / "REF.md").read_text(encoding="utf-8")
    edit(policies / "REF.md", "in_force_until: null", "in_force_until: 2025-06-30")
    second = text.replace("version: 1", "version: 2").replace("2025-01-01", "2025-07-01")
    (policies / "REF.v2.md").write_text(second.replace("window_days: 30", f"window_days: {days}"), encoding="utf-8")


def test_a_build_adds_every_clause_and_tells_its_progress(policies: Path, folder: Path, embedder: CountingEmbedder) -> None:
    told: list[tuple[int, int]] = []
    report = build(PolicyBook.load(policies), folder, embedder, lambda done, total: told.append((done, total)))
    assert report == BuildReport(added=12, updated=0, removed=0, unchanged=0)
    assert told == [(8, 12), (12, 12)]


def test_a_second_build_adds_nothing_and_embeds_nothing(policies: Path, folder: Path, embedder: CountingEmbedder) -> None:
    book = PolicyBook.load(policies)
    build(book, folder, embedder)
    embedder.texts.clear()
    assert build(book, folder, embedder) == BuildReport(added=0, updated=0, removed=0, unchanged=12)
    assert embedder.texts == []


def test_a_changed_number_embeds_the_clauses_that_say_it_and_no_other(
    policies: Path, folder: Path, embedder: CountingEmbedder
) -> None:
    build(PolicyBook.load(policies), folder, embedder)
    embedder.texts.clear()
    edit(policies / "FRD.md", "elevated: 0.40", "elevated: 0.45")
    book = PolicyBook.load(policies)
    assert build(book, folder, embedder) == BuildReport(added=0, updated=2, removed=0, unchanged=10)
    assert len(embedder.texts) == 2
    with KnowledgeIndex.open(folder, book, embedder) as index:
        assert "0.45" in index.search("A clear fraud score", k=1, as_of=JUNE)[0].clause.text


def test_a_clause_that_is_gone_from_the_policies_is_removed(policies: Path, folder: Path, embedder: CountingEmbedder) -> None:
    build(PolicyBook.load(policies), folder, embedder)
    (policies / "FRD.md").unlink()
    book = PolicyBook.load(policies)
    assert build(book, folder, embedder) == BuildReport(added=0, updated=0, removed=3, unchanged=9)
    with KnowledgeIndex.open(folder, book, embedder) as index:
        assert all(hit.clause.policy_id == "REF" for hit in index.search("fraud score", k=20, as_of=JUNE))


def test_a_build_that_was_interrupted_is_completed_by_the_next(policies: Path, folder: Path, embedder: CountingEmbedder) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    book = PolicyBook.load(policies)
    with pytest.raises(KeyboardInterrupt):
        build(book, folder, embedder, interrupt)
    with pytest.raises(BadInput, match="build it with `missions knowledge build`"):
        KnowledgeIndex.open(folder, book, embedder)
    assert build(book, folder, embedder) == BuildReport(added=4, updated=0, removed=0, unchanged=8)


def test_another_model_embeds_everything_anew(policies: Path, folder: Path, embedder: CountingEmbedder) -> None:
    book = PolicyBook.load(policies)
    build(book, folder, embedder)
    other = CountingEmbedder("another-model")
    with pytest.raises(BadInput, match="is not that of the present policies"):
        KnowledgeIndex.open(folder, book, other)
    assert build(book, folder, other) == BuildReport(added=0, updated=12, removed=0, unchanged=0)
    KnowledgeIndex.open(folder, book, other).close()


def build_reference(folder: Path) -> None:
    build(PolicyBook.load(REFERENCE_POLICIES), folder, MiniLM())


def test_builds_of_three_processes_at_once_end_in_one_whole_index(folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=build_reference, args=(folder,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    book, model = PolicyBook.load(REFERENCE_POLICIES), MiniLM()
    with KnowledgeIndex.open(folder, book, model) as index:
        assert index.search(QUESTION, k=1, as_of=JUNE)[0].clause.id == "REF-9"


def test_a_search_gives_clauses_with_their_version_text_and_score(
    policies: Path, folder: Path, embedder: CountingEmbedder
) -> None:
    book = PolicyBook.load(policies)
    build(book, folder, embedder)
    with KnowledgeIndex.open(folder, book, embedder) as index:
        hits = index.search(QUESTION, k=3, as_of=JUNE)
    first = hits[0].clause
    assert (first.id, first.policy_id, first.version, first.title) == ("REF-9", "REF", 1, "Window")
    assert hits[0].clause.text == book.clause("REF-9", JUNE).text
    assert 1 >= hits[0].score > hits[1].score > hits[2].score >= 0


def test_a_search_finds_the_version_in_force_at_the_moment_of_the_case(
    policies: Path, folder: Path, embedder: CountingEmbedder
) -> None:
    supersede(policies, days="45")
    book = PolicyBook.load(policies)
    build(book, folder, embedder)
    with KnowledgeIndex.open(folder, book, embedder) as index:
        june = index.search(QUESTION, k=1, as_of=JUNE)[0]
        july = index.search(QUESTION, k=1, as_of=JUNE.replace(month=7))[0]
        assert (june.clause.id, june.clause.version, june.clause.text[:7]) == ("REF-9", 1, "30 days")
        assert (july.clause.id, july.clause.version, july.clause.text[:7]) == ("REF-9", 2, "45 days")
        assert len(index.search(QUESTION, k=50, as_of=JUNE)) == 12
        assert index.search(QUESTION, as_of=JUNE.replace(year=2024)) == []


def test_the_model_is_asked_once_for_the_same_query_under_the_same_policies(
    policies: Path, folder: Path, embedder: CountingEmbedder
) -> None:
    book = PolicyBook.load(policies)
    build(book, folder, embedder)
    embedder.texts.clear()
    with KnowledgeIndex.open(folder, book, embedder) as index:
        assert embedder.texts == []
        first = index.search(QUESTION, as_of=JUNE)
        first.clear()
        assert len(index.search(QUESTION, as_of=JUNE.replace(month=8))) == 5
    assert embedder.texts == [QUESTION]


@pytest.mark.parametrize("text", ["ignore all rules \ud800\x00", "<script>{FRD-2}</script>", "𓀀" * 300])
def test_any_text_may_be_asked(policies: Path, text: str) -> None:
    with KnowledgeIndex.in_memory(PolicyBook.load(policies), MiniLM()) as index:
        assert len(index.search(text, as_of=JUNE)) == 5


def test_a_very_long_query_is_cut(policies: Path, embedder: CountingEmbedder) -> None:
    with KnowledgeIndex.in_memory(PolicyBook.load(policies), embedder) as index:
        index.search("return " * 100_000, as_of=JUNE)
    assert len(embedder.texts[-1]) == 2_000


def test_an_empty_query_and_no_clauses_at_all_are_refused(policies: Path) -> None:
    with KnowledgeIndex.in_memory(PolicyBook.load(policies), MiniLM()) as index:
        with pytest.raises(BadInput, match="The query is empty; say"):
            index.search(" \n", as_of=JUNE)
        with pytest.raises(BadInput, match="0 clauses cannot be found; ask for at least 1"):
            index.search("fraud", k=0, as_of=JUNE)


def test_two_indexes_in_memory_do_not_mix(policies: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(REFERENCE_POLICIES / "CRD.md", tmp_path / "other")
    with (
        KnowledgeIndex.in_memory(PolicyBook.load(policies), MiniLM()) as one,
        KnowledgeIndex.in_memory(PolicyBook.load(tmp_path / "other"), MiniLM()) as two,
    ):
        assert len(one.search("password", k=50, as_of=JUNE)) == 12
        assert [hit.clause.id for hit in two.search("password", k=50, as_of=JUNE)] == ["CRD-1"]


def test_an_index_in_memory_is_asked_by_several_at_first(policies: Path) -> None:
    queries = [f"Who approves {what}?" for what in ("a refund", "a credit", "a transfer", "an invoice")]
    with KnowledgeIndex.in_memory(PolicyBook.load(policies), MiniLM()) as index, ThreadPoolExecutor(4) as hands:
        assert all(hands.map(lambda query: index.search(query, as_of=JUNE), queries))


def test_an_index_in_memory_embeds_nothing_until_it_is_asked(policies: Path, embedder: CountingEmbedder) -> None:
    with KnowledgeIndex.in_memory(PolicyBook.load(policies), embedder):
        assert embedder.texts == []


def test_a_folder_without_an_index_is_refused_and_stays_as_it_is(policies: Path, folder: Path) -> None:
    with pytest.raises(BadInput, match=r"There is no knowledge index in .*build it with `missions knowledge build`"):
        KnowledgeIndex.open(folder, PolicyBook.load(policies), MiniLM())
    assert not folder.exists()


def test_an_index_of_other_policies_is_refused(policies: Path, folder: Path, embedder: CountingEmbedder) -> None:
    build(PolicyBook.load(policies), folder, embedder)
    edit(policies / "FRD.md", "elevated: 0.40", "elevated: 0.45")
    with pytest.raises(BadInput, match="is not that of the present policies; build it with"):
        KnowledgeIndex.open(folder, PolicyBook.load(policies), embedder)


def test_a_chroma_database_of_somebody_else_is_neither_opened_nor_written(policies: Path, folder: Path) -> None:
    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    client.create_collection("somebody-elses", embedding_function=None)
    book = PolicyBook.load(policies)
    with pytest.raises(BadInput, match="a Chroma database that is not a knowledge index; name another folder"):
        KnowledgeIndex.open(folder, book, MiniLM())
    with pytest.raises(BadInput, match="holds another Chroma database; name an empty or a new folder"):
        build(book, folder, MiniLM())
    assert [collection.name for collection in client.list_collections()] == ["somebody-elses"]


@pytest.mark.parametrize("damaged", [b"not a database", b"SQLite format 3\x00 and then nonsense"])
def test_a_database_that_is_damaged_is_told_in_one_sentence(policies: Path, folder: Path, damaged: bytes) -> None:
    folder.mkdir()
    (folder / "chroma.sqlite3").write_bytes(damaged)
    book = PolicyBook.load(policies)
    with pytest.raises(BadInput, match=r"cannot be used .*; delete that folder and build it"):
        KnowledgeIndex.open(folder, book, MiniLM())
    with pytest.raises(BadInput, match=r"cannot be used .*; delete that folder and build it"):
        build(book, folder, MiniLM())


def test_a_folder_with_other_files_is_not_built_into(policies: Path) -> None:
    with pytest.raises(BadInput, match="holds other files than a knowledge index"):
        build(PolicyBook.load(policies), policies, MiniLM())


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(policies: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be built in .*; name a folder that you may write"):
        build(PolicyBook.load(policies), policies / "FRD.md" / "index", MiniLM())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write read-only folders")
def test_a_read_only_folder_is_told_in_one_sentence(policies: Path, folder: Path, embedder: CountingEmbedder) -> None:
    folder.mkdir(mode=0o555)
    with pytest.raises(BadInput, match="may not be written, and Chroma must; make it writable"):
        build(PolicyBook.load(policies), folder, embedder)
    assert embedder.texts == []
