"""The migrations make exactly the tables that the code uses, once, from any folder."""

import json
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any, get_args

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import ledger.migrate
from errors import BadInput, TryAgain
from ledger.admissions import AdmissionKind, AdmissionStatus
from ledger.connections import parse
from ledger.lessons import LessonStatus
from ledger.migrate import migrate, newest_revision
from ledger.model_calls import ModelCallStatus
from ledger.policies import DraftStatus
from ledger.records import (
    PERSON_ROLES,
    ROLES,
    DecisionKind,
    EffectStatus,
    ObservationKind,
    Outcome,
    ProposalStatus,
    ReadStatus,
    RunStatus,
)
from ledger.tables import METADATA, SCHEMA
from tests.schema import written


def test_an_empty_database_is_migrated_once_and_quickly_found_up_to_date(database_url: str) -> None:
    assert migrate(database_url) is True
    started = perf_counter()
    assert migrate(database_url) is False
    assert perf_counter() - started < 0.3


def test_the_migrated_tables_are_those_of_the_code(database_url: str) -> None:
    migrate(database_url)
    engine = create_engine(parse(database_url))
    with engine.connect() as connection:
        options = {
            "include_schemas": True, "version_table_schema": "ledger", "compare_type": True, "include_object": _is_of_the_code,
        }  # fmt: skip
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    engine.dispose()
    assert differences == []


def _is_of_the_code(item: Any, name: str, kind: str, reflected: bool, other: Any) -> bool:
    """Indexes that are not unique stand in the migrations alone."""
    return kind != "index" or item.unique


WORDS = {
    "admissions.kind": AdmissionKind, "admissions.status": AdmissionStatus, "decisions.kind": DecisionKind,
    "effects.status": EffectStatus, "facts.status": ReadStatus, "lessons.status": LessonStatus,
    "model_calls.status": ModelCallStatus, "observations.kind": ObservationKind, "policy_drafts.status": DraftStatus,
    "proposals.status": ProposalStatus, "runs.outcome": Outcome, "runs.status": RunStatus,
}  # fmt: skip


@pytest.mark.parametrize("column", [*WORDS, "authorizations.role", "proposals.role", "people.role"])
def test_the_database_lets_in_the_words_of_the_code_and_no_other(column: str) -> None:
    table, name = column.split(".")
    check = json.loads(SCHEMA.read_text(encoding="utf-8"))[f"constraint ck_{table}_{name} of {table}"]
    words = get_args(WORDS[column]) if column in WORDS else PERSON_ROLES if table == "people" else ROLES
    assert re.findall(r"'(\w+)'::text", check) == list(words)


def test_the_numbered_files_end_where_alembic_says() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(ledger.migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]


def test_a_database_of_the_first_release_is_brought_up_to_date_with_what_is_in_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "migrations"
    shutil.copytree(ledger.migrate._SCRIPTS, copy)
    for later in sorted((copy / "versions").glob("[0-9]*.py"))[1:]:
        later.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(ledger.migrate, "_SCRIPTS", copy)
        assert migrate(database_url) is True
    add = "SELECT ledger.append(now(), 'person_added', '', '{}')"
    with psycopg.connect(database_url) as session:
        session.execute(add)
    assert migrate(database_url) is True
    assert written(database_url) == SCHEMA.read_text(encoding="utf-8")
    with psycopg.connect(database_url) as session:
        assert session.execute(add).fetchone() == (2,)


def test_several_who_migrate_at_once_all_succeed(database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(migrate, [database_url] * 4)) >= 1
    assert migrate(database_url) is False


def test_a_checkout_with_spaces_and_percent_signs_in_its_path_migrates(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "my 100% %(here)s checkout" / "migrations"
    shutil.copytree(Path(ledger.migrate.__file__).parent / "migrations", copy)
    monkeypatch.setattr(ledger.migrate, "_SCRIPTS", copy)
    assert migrate(database_url) is True
    assert migrate(database_url) is False


def test_a_database_of_a_newer_version_is_bad_input(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(database_url) as session:
        session.execute("UPDATE ledger.alembic_version SET version_num = '9999'")
    with pytest.raises(BadInput, match="was made by another version of the project"):
        migrate(database_url)


def test_a_database_that_is_away_says_so() -> None:
    with pytest.raises(TryAgain, match="did not answer"):
        migrate("postgresql://nobody@127.0.0.1:1/none")


def test_an_account_that_may_not_make_tables_is_told(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as session:
        session.execute("DROP ROLE IF EXISTS missions_test_reader")
        session.execute("CREATE ROLE missions_test_reader LOGIN")
    try:
        with pytest.raises(BadInput, match="may not make the ledger's tables"):
            migrate(database_url.replace("//postgres:", "//missions_test_reader:"))
    finally:
        with psycopg.connect(database_url, autocommit=True) as session:
            session.execute("DROP ROLE missions_test_reader")


@pytest.mark.skipif(sys.platform == "win32", reason="the output of a child process is compared")
def test_migrating_prints_nothing(database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    migrate(database_url)
    assert capfd.readouterr() == ("", "")
