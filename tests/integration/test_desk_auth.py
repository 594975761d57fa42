"""Who comes in: local accounts, one-time passwords, lock-out, sessions, and who manages people."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from argon2 import PasswordHasher

from errors import BadInput, Refused
from ledger import credentials
from ledger.postgres import PostgresLedger
from ledger.records import PERSON_ROLES
from ledger.services import AdminService
from ledger.sql.attempts import SignInOrigin
from tests.ledger_examples import admitted

PASSWORD = "correct horse battery"
HOURS = timedelta(hours=10)
WRONG = "The name or the password is not right."


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **units: float) -> None:
        self.now += timedelta(**units)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that are hashed at once: here it is about doors."""
    monkeypatch.setattr(credentials, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    credentials._nobodys.cache_clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    opened = PostgresLedger.open(ledger_url)
    yield opened
    opened.close()


@pytest.fixture
def desk(ledger: PostgresLedger, clock: Clock) -> AdminService:
    """A desk where admin is administrator and rita reviewer; both have chosen PASSWORD."""
    made = AdminService(ledger, clock)
    for name, role in (("admin", "administrator"), ("rita", "reviewer")):
        _, one_time = admitted(made, name, role)
        assert made.sign_in(name, one_time, HOURS, PASSWORD).token
    return made


def test_a_one_time_password_signs_in_nobody_until_an_own_one_is_chosen(desk: AdminService) -> None:
    _, one_time = admitted(desk, "ron", "reviewer")
    first = desk.sign_in("ron", one_time, HOURS)
    assert (first.token, first.choose, first.refused) == ("", True, "This was a one-time password: choose one of your own.")
    for chosen, sentence in ((one_time, "another password"), ("short", "12 characters"), ("ron" * 5, "easily guessed")):
        knock = desk.sign_in("ron", one_time, HOURS, chosen)
        assert (knock.token, knock.choose) == ("", True)
        assert sentence in knock.refused
    assert desk.sign_in("ron", one_time, HOURS, PASSWORD).token
    assert desk.sign_in("ron", one_time, HOURS).refused == WRONG
    assert desk.sign_in("ron", PASSWORD, HOURS).token


def test_a_one_time_password_lapses_after_a_week(desk: AdminService, clock: Clock) -> None:
    _, one_time = admitted(desk, "ron", "reviewer")
    clock.passes(days=7, seconds=1)
    assert "lapsed" in desk.sign_in("ron", one_time, HOURS, PASSWORD).refused
    assert desk.accounts("admin", "ron")[0][0].state == "lapsed"
    assert desk.sign_in("ron", desk.give_one_time("ron"), HOURS, PASSWORD).token


def test_passwords_are_kept_as_argon2id_and_tokens_as_digests(desk: AdminService, ledger_url: str) -> None:
    token = desk.sign_in("rita", PASSWORD, HOURS).token
    with psycopg.connect(ledger_url) as session:
        hashes = [value for (value,) in session.execute("SELECT password_hash FROM ledger.accounts")]
        digests = [value for (value,) in session.execute("SELECT digest FROM ledger.sessions")]
    assert hashes and all(value.startswith("$argon2id$") for value in hashes)
    assert digests and token not in digests
    assert desk.who(digests[0]) is None


def test_one_changes_the_own_password_with_the_present_one_and_signs_in_again(desk: AdminService) -> None:
    token = desk.sign_in("rita", PASSWORD, HOURS).token
    assert desk.change_password("rita", "wrong", "another horse battery") == WRONG
    assert "12 characters" in desk.change_password("rita", PASSWORD, "short")
    assert desk.who(token) is not None
    assert desk.change_password("rita", PASSWORD, "another horse battery") == ""
    assert desk.who(token) is None
    assert desk.sign_in("rita", PASSWORD, HOURS).refused == WRONG
    assert desk.sign_in("rita", "another horse battery", HOURS).token


def test_an_unknown_name_and_a_wrong_password_are_told_the_same(desk: AdminService) -> None:
    tries = [("rita", "wrong"), ("nobody", PASSWORD), ("", ""), ("rita\x00", "x" * 10_000), (" \u200b", "ü"), ("x" * 9_000, "")]
    assert {desk.sign_in(name, password, HOURS).refused for name, password in tries} == {WRONG}


def test_a_name_is_the_same_in_any_case_and_with_blanks_around_it(desk: AdminService) -> None:
    assert desk.sign_in(" RITA ", PASSWORD, HOURS).token


def test_after_five_wrong_passwords_the_right_one_waits_there_and_the_wait_doubles(desk: AdminService, clock: Clock) -> None:
    assert {desk.sign_in("rita", "wrong", HOURS).refused for _ in range(5)} == {WRONG}
    for seconds in (30, 60):
        clock.passes(seconds=seconds - 1)
        locked = desk.sign_in("rita", PASSWORD, HOURS)
        assert (locked.token, locked.refused) == ("", WRONG)
        clock.passes(seconds=1)
        if seconds == 30:
            assert desk.sign_in("rita", "wrong", HOURS).refused == WRONG
    assert desk.sign_in("rita", PASSWORD, HOURS).token
    assert desk.sign_in("rita", "wrong", HOURS).refused == WRONG
    assert desk.sign_in("rita", PASSWORD, HOURS).token, "a right password counts from the beginning"


def test_a_wait_is_never_longer_than_a_quarter_of_an_hour(desk: AdminService, clock: Clock) -> None:
    for _ in range(15):
        desk.sign_in("rita", "wrong", HOURS)
        clock.passes(minutes=15, seconds=1)
    assert desk.sign_in("rita", PASSWORD, HOURS).token


def test_who_fails_in_one_place_costs_nobody_anything_in_another(desk: AdminService) -> None:
    for _ in range(50):
        desk.sign_in("rita", "wrong", HOURS, origin=SignInOrigin("203.0.113.9"))
    assert not desk.sign_in("rita", PASSWORD, HOURS, origin=SignInOrigin("203.0.113.9")).token
    for place in ("203.0.113.10", "2001:db8::1", "this machine"):
        assert desk.sign_in("rita", PASSWORD, HOURS, origin=SignInOrigin(place)).token, place
    assert desk.sign_in("admin", PASSWORD, HOURS, origin=SignInOrigin("203.0.113.9")).token


def test_a_browser_that_is_known_has_a_limit_of_its_own(desk: AdminService) -> None:
    device = desk.sign_in("rita", PASSWORD, HOURS, origin=SignInOrigin("203.0.113.9")).device
    for _ in range(120):
        desk.sign_in("rita", "wrong", HOURS, origin=SignInOrigin("203.0.113.9"))
    assert not desk.sign_in("rita", PASSWORD, HOURS, origin=SignInOrigin("203.0.113.9")).token
    again = desk.sign_in("rita", PASSWORD, HOURS, origin=SignInOrigin("203.0.113.9", device))
    assert (bool(again.token), again.device) == (True, device)
    for _ in range(5):
        desk.sign_in("rita", "wrong", HOURS, origin=SignInOrigin("198.51.100.1", device))
    assert not desk.sign_in("rita", PASSWORD, HOURS, origin=SignInOrigin("198.51.100.1", device)).token


def test_a_place_that_tries_one_name_after_another_waits_for_a_while(desk: AdminService, clock: Clock) -> None:
    place = SignInOrigin("2001:db8::1")
    for number in range(100):
        desk.sign_in(f"name {number}", "wrong", HOURS, origin=place)
    neighbour = SignInOrigin("2001:db8::ffff:2")
    assert not desk.sign_in("rita", PASSWORD, HOURS, origin=neighbour).token, "one network of IPv6"
    clock.passes(minutes=11)
    assert desk.sign_in("rita", PASSWORD, HOURS, origin=neighbour).token


def test_a_session_expires_and_ends_when_its_owner_signs_out(desk: AdminService, clock: Clock) -> None:
    first, second = (desk.sign_in("rita", PASSWORD, HOURS).token for _ in range(2))
    desk.sign_out(first)
    assert desk.who(first) is None
    assert desk.who(second) is not None
    clock.passes(hours=9.99)
    assert desk.who(second) is not None
    clock.passes(hours=0.02)
    assert desk.who(second) is None


def test_a_role_that_changes_holds_in_a_session_that_is_open(desk: AdminService) -> None:
    token = desk.sign_in("rita", PASSWORD, HOURS).token
    desk.admit("rita", "analyst", "admin", account=False)
    person = desk.who(token)
    assert person is not None and person.role == "analyst"


def test_another_password_and_an_administrator_end_every_session(desk: AdminService) -> None:
    tokens = [desk.sign_in("rita", PASSWORD, HOURS).token for _ in range(2)]
    assert desk.end_sessions("rita", "admin") == 3  # and the one of the fixture
    assert [desk.who(token) for token in tokens] == [None, None]
    token = desk.sign_in("rita", PASSWORD, HOURS).token
    desk.give_one_time("rita")
    assert desk.who(token) is None
    assert desk.sign_in("rita", PASSWORD, HOURS).refused == WRONG


@pytest.mark.parametrize("role", [role for role in PERSON_ROLES if role != "administrator"])
def test_nobody_but_an_administrator_manages_people(desk: AdminService, role: str) -> None:
    admitted(desk, "kim", role, "C-1" if role == "customer" else None)
    before = desk.accounts("admin")
    for attempt in (
        lambda: desk.admit("eve", "administrator", "kim"),
        lambda: desk.admit("rita", "administrator", "kim", account=False),
        lambda: desk.give_one_time("admin", "kim"),
        lambda: desk.end_sessions("admin", "kim"),
        lambda: desk.accounts("kim"),
    ):
        with pytest.raises(Refused, match="requires the role administrator"):
            attempt()
    assert desk.accounts("admin") == before


def test_nobody_in_particular_manages_no_people(desk: AdminService) -> None:
    for by in ("", "stranger"):
        with pytest.raises(Refused, match="Sign in"):
            desk.admit("eve", "administrator", by)


@pytest.mark.parametrize("written", ["admin", " ADMIN "])
def test_an_administrator_never_changes_their_own_role(desk: AdminService, written: str) -> None:
    with pytest.raises(Refused, match="another administrator must"):
        desk.admit(written, "finance", "admin", account=False)
    with pytest.raises(Refused, match="another administrator must"):
        desk.admit(written, "finance", "admin")


def test_who_is_known_gets_another_role_and_keeps_the_password(desk: AdminService) -> None:
    person, one_time = admitted(desk, "Rita", "supervisor")
    assert (person.name, person.role, one_time) == ("rita", "supervisor", "")
    assert desk.sign_in("rita", PASSWORD, HOURS).token


def test_a_person_that_cannot_be_is_not_added(desk: AdminService) -> None:
    for name, role, customer in (
        ("eve", "king", None),
        ("eve", "customer", None),
        ("eve", "reviewer", "C-1"),
        (" ", "analyst", None),
    ):
        with pytest.raises(BadInput):
            desk.admit(name, role, "admin", customer)
    with pytest.raises(BadInput, match="no person 'eve'"):
        desk.give_one_time("eve", "admin")
    assert desk.accounts("admin")[1] == 2


def test_the_accounts_are_listed_in_pages_and_searched_by_name(desk: AdminService) -> None:
    for number in range(5):
        desk.admit(f"casey_{number}%", "customer", "admin", f"C-{number}", account=False)
    found, total = desk.accounts("admin", offset=1, limit=2)
    assert ([one.person.name for one in found], total) == (["casey_0%", "casey_1%"], 7)
    assert [one.person.name for one in desk.accounts("admin", "Y_3%")[0]] == ["casey_3%"]
    assert desk.accounts("admin", "%_")[1] == 0
    assert {one.state for one in found} == {"none"}


def test_what_happens_at_the_door_stands_in_the_audit_log(desk: AdminService, ledger: PostgresLedger) -> None:
    token = desk.sign_in("rita", PASSWORD, HOURS).token
    desk.sign_out(token)
    for _ in range(5):
        desk.sign_in("rita", "wrong", HOURS)
    desk.end_sessions("admin", "admin")
    desk.give_one_time("rita")
    kinds = [entry.kind for entry in ledger.audit()][-5:]
    assert kinds == ["signed_in", "signed_out", "account_locked", "sessions_ended", "password_reset"]
    assert ledger.verify_audit() == []
