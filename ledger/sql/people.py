"""People who may decide, in PostgreSQL."""

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from ledger import audit_chain, authorization, names, permissions
from ledger.authorization import person_key
from ledger.canonical import clean
from ledger.permissions import COMMAND_LINE, Permission
from ledger.records import Person
from ledger.sql import chain
from ledger.sql.rows import fields
from ledger.tables import PEOPLE

_PERSON = select(PEOPLE.c.name, PEOPLE.c.role, PEOPLE.c.customer_id)


def add(tx: Connection, at: datetime, name: str, role: str, customer_id: str | None = None) -> Person:
    key = person_key(name)
    authorization.check_person(name, role, customer_id)
    known = find(tx, name)
    if known is None or not authorization.is_called(known, name):
        check_new(tx, name)
    person = Person(name=known.name if known else clean(name).strip(), role=role, customer_id=customer_id)
    if person == known:
        return person
    changed = insert_or(PEOPLE).values(key=key, skeleton=names.skeleton(name), **vars(person))
    tx.execute(changed.on_conflict_do_update(index_elements=["key"], set_={"role": role, "customer_id": customer_id}))
    chain.append(tx, at, "person_added", "", audit_chain.of_person(person))
    return person


def check_new(tx: Connection, name: str) -> None:
    """BadInput for a name that cannot be told from that of somebody who is there."""
    alike = tx.execute(select(PEOPLE.c.name).where(PEOPLE.c.skeleton == names.skeleton(name))).scalar()
    authorization.check_new_name(name, alike)


def find(tx: Connection, name: str) -> Person | None:
    """Whatever its case and the blanks around it; None for nobody's, and for an empty one."""
    if not name.strip():
        return None
    row = tx.execute(_PERSON.where(PEOPLE.c.key == person_key(name))).first()
    return Person(**fields(row)) if row else None


def require(tx: Connection, name: str, permission: Permission) -> Person:
    """The person as the ledger has them now. Refused when they may not."""
    return permissions.require(find(tx, name), permission)


def require_manager(tx: Connection, by: str, permission: Permission = "manage_people") -> Person | None:
    """Whoever manages something, who may; None for the command line, which may too. Refused to everybody else."""
    return None if by == COMMAND_LINE else require(tx, by, permission)


def has_administrator(tx: Connection) -> bool:
    """Whether there is somebody who manages people."""
    return tx.execute(select(PEOPLE.c.key).where(PEOPLE.c.role == "administrator").limit(1)).first() is not None


def listed(tx: Connection) -> list[Person]:
    """Everybody, by name."""
    return [Person(**fields(row)) for row in tx.execute(_PERSON.order_by(PEOPLE.c.key.collate("C")))]
