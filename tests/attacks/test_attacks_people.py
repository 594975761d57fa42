"""What one administrator tries to be more than one person, and what strangers learn at the sign-in form."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import psycopg
import pyotp
import pytest
from argon2 import PasswordHasher
from psycopg.errors import CheckViolation, InsufficientPrivilege
from sqlalchemy import event

from errors import BadInput, Refused
from ledger import credentials
from ledger.admissions import AdmissionRequest
from ledger.connections import parse, plain
from ledger.postgres import PostgresLedger
from ledger.roles import grant_roles
from ledger.roles import signed_in as signed_in_as
from ledger.services import AdminService, Inbox
from ledger.sql.attempts import SignInOrigin
from tests.ledger_examples import admitted, enrolled

TWO = pytest.mark.promise("Two people admit who may decide about money")
STRANGERS = pytest.mark.promise("The doors tell and give nothing to strangers")
PASSWORD = "correct horse battery"
HOURS = timedelta(hours=10)


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC) - timedelta(days=5)  # the log takes no row that is to come

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that are hashed at once."""
    monkeypatch.setattr(credentials, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    credentials._nobodys.cache_clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    with PostgresLedger.open(ledger_url) as opened:
        yield opened


@pytest.fixture
def desk(ledger: PostgresLedger, clock: Clock) -> AdminService:
    """admin and olga are administrators, fay finance, rita reviewer, ana analyst; admin and rita have signed in."""
    made = AdminService(ledger, clock)
    roles = {"admin": "administrator", "olga": "administrator", "fay": "finance", "rita": "reviewer", "ana": "analyst"}
    for name, role in roles.items():
        _, one_time = admitted(made, name, role)
        if name in ("admin", "rita", "ana"):
            assert made.sign_in(name, one_time, HOURS, PASSWORD).token
    return made


def role(name: str, role: str = "finance") -> AdmissionRequest:
    return AdmissionRequest(kind="role", name=name, role=role)


def tries(desk: AdminService, wanted: AdmissionRequest, *by: str) -> str:
    """Ask as the first and confirm as each of the others; what the last is told, or why not."""
    try:
        changed = desk.ask(wanted, by[0])
        for one in by[1:]:
            assert changed.waits is not None
            changed = desk.confirm(changed.waits.admission_id, one)
    except Refused as refused:
        return f"refused: {refused}"
    return "waits" if changed.waits else "done"


@TWO
@pytest.mark.parametrize(
    ("who", "wanted"),
    [*product(["eve", "ana"], ["finance", "supervisor", "reviewer", "administrator"]),
     *product(["fay"], ["supervisor", "reviewer", "administrator"])],
)  # fmt: skip
def test_one_administrator_makes_somebody_who_decides(desk: AdminService, ledger: PostgresLedger, who: str, wanted: str) -> None:
    before = ledger.person(who)
    for attempt in (lambda: desk.admit(who, wanted, "admin"), lambda: desk.admit(who, wanted, "admin", account=False)):
        with pytest.raises(Refused, match="two people"):
            attempt()
    assert tries(desk, role(who, wanted), "admin") == "waits"
    assert ledger.person(who) == before
    assert tries(desk, role(who, wanted), "olga").startswith("refused")


@TWO
@pytest.mark.parametrize("by", ["admin", "ADMIN", "fay", "rita", "ana", "eve", "", "stranger", "the command line"])
def test_an_admission_is_confirmed_by_whoever_may_not(desk: AdminService, ledger: PostgresLedger, by: str) -> None:
    waits = desk.ask(role("eve"), "admin").waits
    assert waits is not None
    with pytest.raises(Refused):
        desk.confirm(waits.admission_id, by)
    assert ledger.person("eve") is None
    desk.confirm(waits.admission_id, "olga")
    assert ledger.person("eve") is not None
    with pytest.raises(Refused):
        desk.confirm(waits.admission_id, "olga")


@TWO
def test_one_administrator_confirms_through_a_puppet(desk: AdminService, ledger: PostgresLedger) -> None:
    assert tries(desk, role("puppet", "analyst"), "admin") == "done"
    waits = desk.ask(role("eve"), "admin").waits
    assert waits is not None
    with pytest.raises(Refused):
        desk.confirm(waits.admission_id, "puppet")
    assert tries(desk, role("puppet", "administrator"), "admin") == "waits"
    assert tries(desk, role("olga", "analyst"), "admin") == "waits", "one administrator takes the other's role away"
    assert {person.name for person in ledger.people() if person.role == "administrator"} == {"admin", "olga"}


@TWO
def test_one_administrator_takes_everybody_away_who_could_confirm(ledger: PostgresLedger, ledger_url: str) -> None:
    desk = AdminService(ledger)
    for name, given in {"admin": "administrator", "sam": "supervisor", "fay": "finance"}.items():
        admitted(desk, name, given)
    assert tries(desk, role("fay", "analyst"), "admin") == "done"
    told = "admit another supervisor, finance person or administrator first."
    assert tries(desk, role("sam", "analyst"), "admin").endswith(told)
    for attempt in (lambda: desk.admit("sam", "analyst"), lambda: desk.admit("sam", "customer", "admin", "C-1", account=False)):
        with pytest.raises(Refused, match="last two"):
            attempt()
    with pytest.raises(InsufficientPrivilege):
        written(ledger_url, "UPDATE ledger.people SET role = 'analyst' WHERE key = 'sam'")
    assert tries(desk, role("ada"), "admin", "sam") == "done"
    assert tries(desk, role("sam", "analyst"), "admin") == "done", "somebody else can confirm now"


@TWO
@pytest.mark.parametrize("kind", ["password", "second_factor"])
@pytest.mark.parametrize("who", ["fay", "rita", "olga"])
def test_one_administrator_takes_the_account_of_somebody_who_decides(desk: AdminService, kind: Any, who: str) -> None:
    with pytest.raises(Refused, match="two people"):
        desk.give_one_time(who, "admin")
    changed = desk.ask(AdmissionRequest(kind=kind, name=who), "admin")
    assert changed.waits is not None
    with pytest.raises(Refused):
        desk.confirm(changed.waits.admission_id, "admin")
    with pytest.raises(Refused):
        desk.confirm(changed.waits.admission_id, who)
    assert not desk.sign_in(who, changed.one_time, HOURS, "another horse battery").token


@TWO
def test_neither_of_two_people_knows_the_one_time_password_alone(desk: AdminService) -> None:
    changed = desk.ask(role("eve"), "admin")
    assert changed.waits is not None
    second = desk.confirm(changed.waits.admission_id, "olga").one_time
    for known in (changed.one_time, second, f"{second}-{changed.one_time}"):
        assert not desk.sign_in("eve", known, HOURS).choose
    assert desk.sign_in("eve", f"{changed.one_time}-{second}", HOURS).choose


@TWO
def test_an_account_that_an_administrator_took_before_is_given_a_say(desk: AdminService) -> None:
    desk.give_one_time("ana", "admin")  # an analyst decides nothing
    taken = desk.sign_in("ana", desk.give_one_time("ana", "admin"), HOURS, "admin's own password").token
    assert tries(desk, role("ana"), "admin", "olga") == "done"
    assert desk.who(taken) is None
    assert not desk.sign_in("ana", "admin's own password", HOURS).token


@TWO
def test_an_admission_that_lapsed_or_whose_asker_lost_the_role_is_confirmed(desk: AdminService, clock: Clock) -> None:
    first = desk.ask(role("eve"), "admin").waits
    clock.now += timedelta(days=3, seconds=1)
    assert first is not None and desk.admissions() == []
    with pytest.raises(Refused, match="expired"):
        desk.confirm(first.admission_id, "olga")
    again = desk.ask(role("eve"), "admin").waits
    assert again is not None
    enrolled(desk, "admin", "analyst")
    with pytest.raises(Refused):
        desk.confirm(again.admission_id, "olga")


@TWO
def test_the_database_keeps_an_admission_that_one_person_confirms(desk: AdminService, ledger_url: str) -> None:
    desk.ask(role("eve"), "admin")
    for by in ("admin", "eve"):
        with psycopg.connect(ledger_url) as session, pytest.raises(psycopg.errors.CheckViolation):
            session.execute("UPDATE ledger.admissions SET status = 'confirmed', settled_by = %s", (by,))


@TWO
def test_the_command_line_is_one_person_once_there_are_others(desk: AdminService, ledger: PostgresLedger) -> None:
    waits = desk.ask(role("eve"), "the command line").waits
    assert waits is not None
    with pytest.raises(Refused):
        desk.confirm(waits.admission_id, "the command line")
    desk.confirm(waits.admission_id, "olga")
    assert ledger.person("eve") is not None


@TWO
def test_with_one_administrator_finance_confirms(desk: AdminService, ledger: PostgresLedger) -> None:
    enrolled(desk, "olga", "auditor")
    assert tries(desk, role("eve"), "admin", "rita").startswith("refused")
    waits = next(iter(desk.admissions()))
    desk.confirm(waits.admission_id, "fay")
    assert ledger.person("eve") is not None


LOOKALIKES = (
    "rіta", "rit\u0430", "ri\u200bta", "\u200brita", "rita\u200d", "rita\ufeff", "ri\u00adta", "rita\u202e", "ri\u2060ta",
    "ri\u0307ta", "ríta", "rıta", "r1ta", "rlta", "r!ta", "r|ta", "ｒｉｔａ", "𝐫𝐢𝐭𝐚", "ri ta", "ri\u00a0ta", "ri  ta",
    "rita\ufe0f", "\u2800rita", "ri\u3164ta", "rita\t", "ri\x00ta", "ri\u034fta", "rιta", "ꭱita", "R1TA", "rit4", "rit@",
)  # fmt: skip


@TWO
@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_name_looks_like_that_of_somebody_who_decides(desk: AdminService, ledger: PostgresLedger, name: str) -> None:
    before = ledger.people()
    if name.strip() == "rita":
        return
    for attempt in (lambda: desk.ask(role(name, "analyst"), "admin"), lambda: desk.admit(name, "analyst", account=False)):
        with pytest.raises(BadInput):
            attempt()
    assert ledger.people() == before


@TWO
@pytest.mark.parametrize(
    "name", ["planner", "p1anner", "PLANNER", "рlanner", "llm", "l1m", "IIm", "hybrid", "the command line", "The  Command Line",
             "the command 1ine", "missions", "thecommandline"],
)  # fmt: skip
def test_a_person_is_called_like_a_reasoner_or_the_system(desk: AdminService, name: str) -> None:
    with pytest.raises(BadInput):
        desk.admit(name, "analyst", account=False)


@TWO
@pytest.mark.parametrize(
    "name", ["李雷", "Мария", "José", "O'Brien", "Müller", "田中さん", "محمد", "Nguyễn Thị", "ann@b.example"]
)
def test_names_of_every_script_are_admitted(desk: AdminService, ledger: PostgresLedger, name: str) -> None:
    assert desk.admit(name, "analyst", account=False)[0].name == name
    assert ledger.person(name) is not None


@TWO
@pytest.mark.parametrize("name", ["оms", "om\u200bs", "0ms", "oｍs"])
def test_an_event_source_looks_like_another(ledger: PostgresLedger, name: str) -> None:
    Inbox(ledger).add_source("oms")
    with pytest.raises(BadInput):
        Inbox(ledger).add_source(name)


@TWO
def test_a_role_that_takes_a_second_factor_signs_in_without_one(desk: AdminService, clock: Clock) -> None:
    takes = {"reviewer"}
    shown = desk.sign_in("rita", PASSWORD, HOURS, second_factor=takes)
    assert (shown.token, shown.code, bool(shown.secret)) == ("", True, True)
    app = pyotp.TOTP(shown.secret)
    for wrong in ("000000", "", "abcdef", app.at(clock.now - timedelta(minutes=5)), app.at(clock.now + timedelta(minutes=5))):
        assert not desk.sign_in("rita", PASSWORD, HOURS, code=wrong, second_factor=takes).token
    clock.now += timedelta(hours=1)  # the wait is over
    assert not desk.sign_in("rita", "wrong", HOURS, code=app.at(clock.now), second_factor=takes).code
    clock.now += timedelta(minutes=1)
    code = app.at(clock.now)
    assert desk.sign_in("rita", PASSWORD, HOURS, code=code, second_factor=takes).token
    for wanted in (takes, set[str]()):  # once added it is asked for, whatever the setting says
        again = desk.sign_in("rita", PASSWORD, HOURS, code=code, second_factor=wanted)
        assert (again.token, again.secret) == ("", ""), "a code is good once"
    clock.now += timedelta(seconds=30)
    assert desk.sign_in("rita", PASSWORD, HOURS, code=app.at(clock.now)).token


@TWO
def test_a_session_from_before_a_role_took_a_second_factor_goes_on(desk: AdminService, clock: Clock) -> None:
    token = desk.sign_in("rita", PASSWORD, HOURS).token
    assert desk.who(token) is not None
    assert desk.who(token, {"reviewer"}) is None
    shown = desk.sign_in("rita", PASSWORD, HOURS, second_factor={"reviewer"})
    assert desk.who(token, {"reviewer"}) is None, "what is only shown is no factor yet"
    code = pyotp.TOTP(shown.secret).at(clock.now)
    with_code = desk.sign_in("rita", PASSWORD, HOURS, code=code, second_factor={"reviewer"})
    assert desk.who(with_code.token, {"reviewer"}) is not None


@STRANGERS
def test_the_form_answers_and_does_the_same_for_known_unknown_and_waiting_names(
    desk: AdminService, ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in statements and in passwords that are looked at: what takes time."""
    for _ in range(6):
        desk.sign_in("fay", "wrong", HOURS)
        desk.sign_in("nobody waits", "wrong", HOURS)
    done: list[str] = []
    real = credentials.is_password
    monkeypatch.setattr(credentials, "is_password", lambda *given: (done.append("argon2"), real(*given))[1])

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        done.append(statement)

    engine = ledger._engine
    event.listen(engine, "before_cursor_execute", note)
    seen, works = set(), set()
    try:
        for name in ("rita", "admin", "unknown", "fay", "nobody waits", "olga"):
            done.clear()
            knock = desk.sign_in(name, "wrong", HOURS)
            seen.add((knock.refused, knock.token, knock.choose, knock.code))
            works.add(tuple(done))
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(seen) == len(works) == 1
    assert sum(step == "argon2" for step in next(iter(works))) == 1


@STRANGERS
@pytest.mark.parametrize("places", [1, 40])
def test_somebody_is_locked_out_by_wrong_passwords_from_elsewhere(desk: AdminService, places: int) -> None:
    for number in range(120):
        desk.sign_in("rita", "wrong", HOURS, origin=SignInOrigin(f"203.0.113.{number % places}"))
    assert desk.sign_in("rita", PASSWORD, HOURS, origin=SignInOrigin("198.51.100.7")).token
    assert desk.sign_in("admin", PASSWORD, HOURS, origin=SignInOrigin("198.51.100.7")).token


@STRANGERS
def test_a_password_is_guessed_in_one_place_again_and_again(desk: AdminService, clock: Clock) -> None:
    for _ in range(100):
        desk.sign_in("rita", "wrong", HOURS)
        clock.now += timedelta(seconds=10)
    assert not desk.sign_in("rita", PASSWORD, HOURS).token
    clock.now += timedelta(minutes=15)
    assert desk.sign_in("rita", PASSWORD, HOURS).token


#: what a dashboard that was taken over could write; {n} is a name of nobody
WRITTEN = {
    "a person": "INSERT INTO ledger.people (key, name, role, skeleton) VALUES ('{n}', '{n}', 'finance', '{n}')",
    "a person who is raised": "UPDATE ledger.people SET role = 'finance' WHERE key = 'ana'",
    "a person who is raised on the way": (
        "UPDATE ledger.people SET role = 'auditor' WHERE key = 'ana'; UPDATE ledger.people SET role = 'finance' WHERE key = 'ana'"
    ),
    "an administrator who is lowered": "UPDATE ledger.people SET role = 'analyst' WHERE key = 'olga'",
    "everybody else who could confirm, then oneself": (
        "UPDATE ledger.people SET role = 'analyst' WHERE role IN ('supervisor', 'finance');"
        "UPDATE ledger.people SET role = 'analyst' WHERE role = 'administrator';"
        "INSERT INTO ledger.people (key, name, role, skeleton) VALUES ('{n}', '{n}', 'finance', '{n}')"
    ),
    "an upsert": (
        "INSERT INTO ledger.people (key, name, role, skeleton) VALUES ('ana', 'ana', 'finance', 'ana') "
        "ON CONFLICT (key) DO UPDATE SET role = 'finance'"
    ),
    "a confirmation that nobody asked for": (
        "INSERT INTO ledger.admissions "
        "(admission_id, kind, name, role, account, asked_by, asked_at, lapses_at, status, settled_by)"
        " VALUES ('a-x', 'role', 'ana', 'finance', true, 'admin', now(), now(), 'confirmed', 'olga');"
        "UPDATE ledger.people SET role = 'finance' WHERE key = 'ana'"
    ),
    "a confirmation by oneself": (
        "INSERT INTO ledger.admissions (admission_id, kind, name, role, account, asked_by, asked_at, lapses_at, status)"
        " VALUES ('a-x', 'role', 'ana', 'finance', true, 'admin', now(), now(), 'asked');"
        "UPDATE ledger.admissions SET status = 'confirmed', settled_by = 'admin' WHERE admission_id = 'a-x';"
        "UPDATE ledger.people SET role = 'finance' WHERE key = 'ana'"
    ),
}


def written(url: str, statements: str) -> None:
    """What a dashboard that was taken over writes."""
    grant_roles(url)
    with psycopg.connect(plain(parse(signed_in_as(url, "missions_dashboard", {})))) as session:
        session.execute(statements.encode())


@TWO
@pytest.mark.parametrize("what", WRITTEN)
def test_the_dashboard_writes_somebody_who_decides(what: str, desk: AdminService, ledger_url: str) -> None:
    with pytest.raises((InsufficientPrivilege, CheckViolation)):
        written(ledger_url, WRITTEN[what].format(n="mallory"))


@TWO
def test_a_confirmation_is_used_once_more(desk: AdminService, ledger_url: str) -> None:
    assert tries(desk, role("eve"), "admin", "olga") == "done"
    enrolled(desk, "eve", "analyst")
    with pytest.raises(InsufficientPrivilege):
        written(ledger_url, "UPDATE ledger.people SET role = 'finance' WHERE key = 'eve'")


@TWO
@pytest.mark.parametrize("wanted", ["reviewer", "supervisor", "finance", "administrator"])
def test_the_api_of_the_command_line_makes_somebody_who_decides_alone(
    wanted: str, desk: AdminService, ledger: PostgresLedger
) -> None:
    raises = (
        lambda: desk.admit("eve", wanted),
        lambda: desk.admit("ana", wanted, account=False),
        lambda: desk.admit("fay", "administrator", account=False),
    )
    for attempt in raises:
        with pytest.raises(Refused, match="another person confirms"):
            attempt()
    assert {one.name: one.role for one in ledger.people() if one.name in ("eve", "ana", "fay")} == {
        "ana": "analyst",
        "fay": "finance",
    }
