"""The ledger as each part of the project opens it: in its role of the database, where the database has roles."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from errors import BadInput
from ledger.audit_heads import Heads
from ledger.connections import parse, plain
from ledger.embedded import embedded_url
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.roles import WRITES, Role, grant_roles, has_roles, patient, signed_in
from settings import Settings

#: of a database whose roles have no passwords
NO_LOGINS: Mapping[Role, str] = {}


@dataclass(frozen=True)
class Ledgers:
    """One ledger three times; without roles of the database, all three may write all of it."""

    #: up to the proposal
    reasoner: PostgresLedger
    #: from the decision on
    executor: PostgresLedger
    #: what people do
    front: PostgresLedger
    #: where LangGraph keeps its checkpoints
    checkpoints: str


def database_address(settings: Settings) -> str:
    """The address of the database of the settings, as every client reads it; the embedded one is started if need be."""
    return plain(parse(settings.database_url)) if settings.database_url else embedded_url(settings.postgres)


def heads_outside(settings: Settings) -> Heads:
    """Where the settings have heads of the audit log kept."""
    return Heads(settings.audit_heads, settings.audit_heads_command, settings.audit_signing_key)


def database_logins(settings: Settings) -> Mapping[Role, str]:
    """The addresses under which the roles sign in, of the file of the settings. BadInput where it does not hold them."""
    file = settings.database_logins
    if file is None:
        return NO_LOGINS
    wanted = f"name the file that `missions database roles --logins {file}` wrote, or unset MISSIONS_DATABASE_LOGINS"
    try:
        logins = TypeAdapter(dict[Role, str]).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise BadInput(f"{file}: holds no logins of the roles of the database; {wanted}") from error
    here = _place(database_address(settings))
    if logins.keys() != WRITES.keys() or any(_place(address) != here for address in logins.values()):
        raise BadInput(f"{file}: the logins are of another database than DATABASE_URL; {wanted}")
    return logins


def _place(url: str) -> tuple[object, ...]:
    address = parse(url)
    return address.host, address.port, address.database, address.query.get("host")


@contextmanager
def open_ledgers(url: str, lease_seconds: float, logins: Mapping[Role, str] = NO_LOGINS) -> Iterator[Ledgers]:
    """The ledgers of a runtime, each signed in as its role where it can be."""
    with ExitStack() as stack:

        def opened(address: str) -> PostgresLedger:
            return stack.enter_context(PostgresLedger.open(address, lease_lasts=lease_seconds))

        if has_roles(url):
            reasoner, executor, front = (
                signed_in(url, role, logins) for role in ("missions_reasoner", "missions_executor", "missions_dashboard")
            )
            yield Ledgers(opened(reasoner), opened(executor), opened(front), patient(reasoner))
        else:
            ledger = opened(url)
            yield Ledgers(ledger, ledger, ledger, patient(url))


@contextmanager
def open_front(settings: Settings) -> Iterator[PostgresLedger]:
    """The ledger of a process in which people act or look, migrated."""
    url = database_address(settings)
    if migrate(url) and not settings.database_url:  # what is new is granted to the roles
        grant_roles(url)
    with front_ledger(url, database_logins(settings)) as ledger:
        yield ledger


def front_ledger(url: str, logins: Mapping[Role, str] = NO_LOGINS) -> PostgresLedger:
    """The ledger of a process in which people act."""
    return PostgresLedger.open(signed_in(url, "missions_dashboard", logins) if has_roles(url) else url)
