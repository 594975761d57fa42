"""`missions user`, `sign-in`, `sign-out` and `decide`: who is at the command line, and what they may there."""

import os
import re
import socket
import stat
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cli.start import CUSTOMER, PEOPLE, SAMPLE, add_people
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from settings import CHECKOUT
from tests.conftest import _database
from tests.integration.commands import missions, refused
from tests.integration.sessions import PASSWORD, home_of
from tests.integration.terminal import at_terminal
from tests.ledger_examples import admitted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions are kept in files with Unix modes")


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    """A database where admin is administrator and rita reviewer."""
    with _database(server_url) as made:
        migrate(made)
        ledger = PostgresLedger.open(made)
        for name, role in (("admin", "administrator"), ("rita", "reviewer")):
            admitted(AdminService(ledger), name, role)
        ledger.close()
        yield made


@pytest.fixture
def ledger(url: str) -> Iterator[PostgresLedger]:
    opened = PostgresLedger.open(url)
    yield opened
    opened.close()


def one_time(told: str) -> str:
    (found,) = re.findall(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){3}", told)
    return str(found)


def at_home(home: Path, url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url, "MISSIONS_HOME": str(home)}


def test_an_administrator_adds_a_person_who_chooses_a_password_at_the_terminal(url: str, tmp_path: Path) -> None:
    admin = home_of("admin", url, tmp_path)
    added = missions("user", "add", "dana", "--role", "analyst", DATABASE_URL=url, MISSIONS_HOME=admin)
    assert added.stdout.startswith("dana is analyst now.\n"), added.stderr
    password, home = one_time(added.stdout), tmp_path / "dana"
    line = [sys.executable, "-m", "cli", "sign-in", "dana"]
    answers = [("Password of dana:", password), ("New password:", PASSWORD), ("The same again:", PASSWORD)]
    done = at_terminal(line, answers, at_home(home, url), CHECKOUT)
    assert "dana (analyst) is signed in for 10 hours." in done.stdout
    assert password not in done.stdout.replace("Password of dana:", "") and PASSWORD not in done.stdout
    (session,) = home.glob("session-*")
    assert stat.S_IMODE(session.stat().st_mode) == 0o600
    again = missions("user", "add", "dana", "--role", "auditor", DATABASE_URL=url, MISSIONS_HOME=admin)
    assert again.stdout == "dana is auditor now.\n", "who has a password keeps it"
    listed = missions("user", "list", DATABASE_URL=url).stdout
    assert re.search(r"^dana +auditor +password *$", listed, re.MULTILINE)


def test_two_people_admit_a_reviewer_each_with_half_of_a_password(url: str, tmp_path: Path) -> None:
    admitted(AdminService(PostgresLedger.open(url)), "olga", "administrator")
    homes = {name: {"DATABASE_URL": url, "MISSIONS_HOME": home_of(name, url, tmp_path)} for name in ("admin", "olga")}
    asked = missions("user", "add", "rob", "--role", "reviewer", **homes["admin"]).stdout
    refused(missions("user", "confirm", "rob", **homes["admin"]), "second person")
    assert "rob is to be reviewer" in missions("user", "waiting", DATABASE_URL=url).stdout
    confirmed = missions("user", "confirm", "rob", **homes["olga"]).stdout
    halves = [re.findall(r"\b[a-z2-9]{4}-[a-z2-9]{4}\b", told)[0] for told in (asked, confirmed)]
    with PostgresLedger.open(url) as ledger:
        assert AdminService(ledger).sign_in("rob", "-".join(halves), timedelta(hours=1)).choose


def test_a_script_signs_in_by_the_environment_and_out_again(url: str, ledger: PostgresLedger, tmp_path: Path) -> None:
    home_of("rita", url, tmp_path)  # gives rita PASSWORD
    variables = {"DATABASE_URL": url, "MISSIONS_HOME": tmp_path / "script"}
    assert "rita (reviewer)" in missions("sign-in", "rita", MISSIONS_PASSWORD=PASSWORD, **variables).stdout
    (session,) = (tmp_path / "script").glob("session-*")
    token = session.read_text()
    assert AdminService(ledger).who(token) is not None
    assert missions("sign-out", **variables).stdout == "Signed out.\n"
    assert AdminService(ledger).who(token) is None
    assert not session.exists()
    assert missions("sign-out", **variables).stdout == "No one is signed in.\n"


def test_a_wrong_password_no_terminal_and_a_one_time_password_in_a_script_are_refused(url: str, tmp_path: Path) -> None:
    variables = {"DATABASE_URL": url, "MISSIONS_HOME": tmp_path}
    refused(missions("sign-in", "rita", MISSIONS_PASSWORD="wrong", **variables), "not right")
    refused(missions("sign-in", "rita", **variables), "MISSIONS_PASSWORD")
    given = one_time(missions("user", "password", "admin", **variables).stdout)
    done = missions("sign-in", "admin", MISSIONS_PASSWORD=given, **variables)
    assert (done.returncode, "terminal" in done.stderr) == (1, True)
    assert not list(tmp_path.glob("session-*"))


def test_who_is_not_an_administrator_manages_nobody(url: str, ledger: PostgresLedger, tmp_path: Path) -> None:
    rita = {"DATABASE_URL": url, "MISSIONS_HOME": home_of("rita", url, tmp_path)}
    before = ledger.people()
    refused(missions("user", "add", "eve", "--role", "administrator", **rita), "administrator, and rita is reviewer")
    refused(missions("user", "password", "admin", **rita), "administrator, and rita is reviewer")
    nobody = {"DATABASE_URL": url, "MISSIONS_HOME": tmp_path / "nobody"}
    refused(missions("user", "add", "eve", "--role", "reviewer", **nobody), "missions sign-in")
    refused(missions("user", "password", "rita", **nobody), "missions sign-in")
    assert ledger.people() == before


def test_a_lost_password_of_an_administrator_is_replaced_by_whoever_has_the_machine(url: str, ledger: PostgresLedger) -> None:
    assert one_time(missions("user", "password", "admin", DATABASE_URL=url).stdout)
    last = ledger.audit()[-1]
    assert (last.kind, last.body["name"], last.body["by"]) == ("password_reset", "admin", "the command line")


def test_the_first_person_of_an_empty_ledger_is_added_by_the_command_line(database_url: str, tmp_path: Path) -> None:
    variables = {"DATABASE_URL": database_url, "MISSIONS_HOME": tmp_path}
    assert one_time(missions("user", "add", "ann", "--role", "administrator", **variables).stdout)
    refused(missions("user", "add", "bob", "--role", "administrator", **variables), "missions sign-in")


def test_whoever_signs_in_at_a_provider_is_listed_so(url: str, ledger: PostgresLedger) -> None:
    ledger.add_person("ann@company.example", "reviewer")
    listed = missions("user", "list", DATABASE_URL=url, MISSIONS_OIDC_METADATA_URL="http://127.0.0.1:1/x").stdout
    (ann,) = (line for line in listed.splitlines() if line.startswith("ann@company.example"))
    assert ann.split()[1:] == ["reviewer", "the", "provider"]


def test_a_customer_needs_the_id_of_a_customer(url: str, ledger: PostgresLedger, tmp_path: Path) -> None:
    admin = {"DATABASE_URL": url, "MISSIONS_HOME": home_of("admin", url, tmp_path)}
    refused(missions("user", "add", "casey", "--role", "customer", **admin), "customer id")
    done = missions("user", "add", "casey", "--role", "customer", "--customer-id", "C-45130", **admin)
    assert done.stdout.startswith("casey is customer of C-45130 now.\n")
    person = ledger.person("casey")
    assert person is not None and person.customer_id == "C-45130"


def test_nobody_decides_who_is_not_signed_in(url: str, tmp_path: Path) -> None:
    words = ("decide", "r-1", "approve", "--reason", "x")
    refused(missions(*words, DATABASE_URL=url, MISSIONS_HOME=tmp_path), "no one is signed in")
    done = missions(*words, "--as", "rita", DATABASE_URL=url, MISSIONS_HOME=tmp_path)
    assert (done.returncode, "No such option" in done.stderr) == (2, True)


def test_a_session_that_ended_or_that_others_can_read_counts_for_nothing(
    url: str, ledger: PostgresLedger, tmp_path: Path
) -> None:
    home, words = home_of("rita", url, tmp_path), ("decide", "r-1", "approve", "--reason", "x")
    (session,) = home.glob("session-*")
    session.chmod(0o644)
    refused(missions(*words, DATABASE_URL=url, MISSIONS_HOME=home), "others can read")
    session.chmod(0o600)
    AdminService(ledger).end_sessions("rita", "admin")
    refused(missions(*words, DATABASE_URL=url, MISSIONS_HOME=home), "no one is signed in")


def test_the_first_start_makes_the_people_once(database_url: str) -> None:
    migrate(database_url)
    ledger = PostgresLedger.open(database_url)
    try:
        made = add_people(ledger)
        assert {name: role for name, role, _ in made} == PEOPLE
        for name, _, password in made:
            assert AdminService(ledger).sign_in(name, password, timedelta(hours=1)).choose
        before = ledger.audit_head()
        assert add_people(ledger) == []
        assert ledger.audit_head() == before
    finally:
        ledger.close()


def test_a_start_after_an_older_release_gives_its_people_passwords_and_leaves_their_roles(database_url: str) -> None:
    migrate(database_url)
    ledger = PostgresLedger.open(database_url)
    try:
        ledger.add_person("rita", "supervisor")
        made = {name: (role, password) for name, role, password in add_people(ledger)}
        assert made.keys() == PEOPLE.keys()
        assert made["rita"][0] == "supervisor"
        assert AdminService(ledger).sign_in("rita", made["rita"][1], timedelta(hours=1)).choose
    finally:
        ledger.close()


def test_casey_is_a_customer_of_the_sample() -> None:
    assert f'"{CUSTOMER}"' in SAMPLE.read_text()


def test_a_dashboard_on_a_port_in_use_is_refused_in_one_sentence_before_anything_is_done(url: str) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = str(one.getsockname()[1])
        for command in ("dashboard", "start"):
            done = missions(command, DATABASE_URL=url, MISSIONS_PORT=port, CI="")
            refused(done, port, "in use", "MISSIONS_PORT")
            assert done.stdout == ""


def test_a_setting_of_the_provider_that_is_missing_is_named(url: str) -> None:
    given = {"DATABASE_URL": url, "MISSIONS_OIDC_METADATA_URL": "http://127.0.0.1:9/x"}
    refused(missions("dashboard", **given), "MISSIONS_OIDC_CLIENT_ID")
    given |= {"MISSIONS_OIDC_CLIENT_ID": "m", "MISSIONS_OIDC_CLIENT_SECRET": "s", "MISSIONS_COOKIE_SECRET": "short"}
    refused(missions("dashboard", **given), "MISSIONS_COOKIE_SECRET", "32")
    given |= {"MISSIONS_COOKIE_SECRET": "x" * 32, "MISSIONS_OIDC_REDIRECT_URI": "http://0.0.0.0/oauth2callback"}
    refused(missions("dashboard", **given), "MISSIONS_OIDC_REDIRECT_URI")
