"""A backup of a live company is restored elsewhere, and goes on there."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from errors import BadInput
from graphs.runtime import open_runtime
from ledger.audit_export import examine_head, export, read_head
from ledger.backup import back_up, restore
from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from ledger.signatures import signing_key
from tests.conftest import _database
from tests.integration.commands import missions, refused
from tests.integration.live_company import Company, order_in, put_back, settings_for

pytest_plugins = ["tests.integration.live_company"]


def test_a_run_that_waits_is_approved_and_finished_where_its_backup_was_restored(company: Company, tmp_path: Path) -> None:
    run, file, key = company.propose("dev-ord-0007"), tmp_path / "missions.dump", signing_key(tmp_path / "audit.pem")
    put_back(company.url)
    with PostgresLedger.open(company.url) as ledger:
        export(ledger, tmp_path / "export", key, utc_now())
    assert back_up(company.url, file) == file.stat().st_size > 10_000
    assert file.stat().st_mode & 0o777 == 0o600
    company.decide(run, "reject", "rita")
    server = urlsplit(company.url)._replace(path="/postgres").geturl()
    with _database(server) as elsewhere:
        restore(elsewhere, file)
        with open_runtime(settings_for(elsewhere)) as runtime:
            restored = Company(runtime)
            with PostgresLedger.open(elsewhere) as ledger:
                head = read_head(tmp_path / "export" / "head.json")
                assert examine_head(ledger, head, key.public_key()).problems == []
            assert restored.ledger.run(run.run_id).status == "waiting"
            assert order_in(restored.snapshot(), run.event.subject)["status"] != "ready"
            assert restored.decide(run, "approve", "rita").outcome == "executed"
            assert order_in(restored.snapshot(), run.event.subject)["status"] == "ready"
            assert restored.problems() == []
        with pytest.raises(BadInput, match="is not empty"):
            restore(elsewhere, file)
    assert company.ledger.run(run.run_id).outcome == "rejected"


def test_what_is_no_backup_leaves_the_database_empty(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "none"
    with pytest.raises(BadInput, match="There is no file"):
        restore(database_url, file)
    file.write_text("PGDMP and nothing of the kind")
    with pytest.raises(BadInput, match="pg_restore ended with status"):
        restore(database_url, file)
    assert back_up(database_url, tmp_path / "empty.dump") > 0


def test_the_commands_back_up_and_restore(company: Company, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "missions.dump"
    put_back(company.url)
    done = missions("database", "backup", file, DATABASE_URL=company.url)
    assert (done.returncode, done.stderr) == (0, "")
    refused(missions("database", "backup", file, DATABASE_URL=company.url), "nothing replaces it")
    refused(missions("database", "backup", tmp_path / "x" / "y", DATABASE_URL=company.url), "cannot be written")
    refused(missions("database", "backup", tmp_path / "z", DATABASE_URL="postgresql://x:secret@127.0.0.1:1/y"), "did not answer")
    assert not (tmp_path / "z").exists()
    done = missions("database", "restore", file, DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert missions("audit", "verify", DATABASE_URL=database_url).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script of the shell")
@pytest.mark.parametrize("ahead", [0, 1])
def test_a_program_of_the_path_is_taken_where_it_is_of_the_release_of_the_server(
    ahead: int, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(company.url) as session:
        release = session.info.server_version // 10_000 + ahead
    program, used = tmp_path / "pg_dump", tmp_path / "used"
    program.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) {release}.3 (of a package)"; exit; fi\n'
        f"touch {used}; echo 'it has no mood' >&2; exit 3\n"
    )
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    if ahead:
        assert back_up(company.url, tmp_path / "missions.dump") > 10_000 and not used.exists()
    else:
        with pytest.raises(BadInput, match="pg_dump ended with status 3: it has no mood"):
            back_up(company.url, tmp_path / "missions.dump")
        assert used.exists() and not (tmp_path / "missions.dump").exists()
