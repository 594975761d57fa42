"""People who may decide, in PostgreSQL."""

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from ledger import audit, names, rules
from ledger.canonical import clean
from ledger.records import Person
from ledger.sql import chain
from ledger.sql.rows import fields
from ledger.tables import PEOPLE

_PERSON = select(PEOPLE.c.name, PEOPLE.c.role, PEOPLE.c.customer_id)


def add(tx: Connection, name: str, role: str, customer_id: str | None, at: datetime) -> Person:
    key = rules.person_key(name)
    rules.check_person(name, role, customer_id)
    known = find(tx, name)
    if known is None or not rules.is_called(known, name):
        check_new(tx, name)
    person = Person(name=known.name if known else clean(name).strip(), role=role, customer_id=customer_id)
    if person == known:
        return person
    changed = insert_or(PEOPLE).values(key=key, skeleton=names.skeleton(name), **vars(person))
    tx.execute(changed.on_conflict_do_update(index_elements=["key"], set_={"role": role, "customer_id": customer_id}))
    chain.append(tx, at, "person_added", "", audit.of_person(person))
    return person


def check_new(tx: Connection, name: str) -> None:
    """BadInput for a name that cannot be told from that of somebody who is there."""
    alike = tx.execute(select(PEOPLE.c.name).where(PEOPLE.c.skeleton == names.skeleton(name))).scalar()
    rules.check_new_name(name, alike)


def find(tx: Connection, name: str) -> Person | None:
    if not name.strip():
        return None
    row = tx.execute(_PERSON.where(PEOPLE.c.key == rules.person_key(name))).first()
    return Person(**fields(row)) if row else None


def has_role(tx: Connection, role: str) -> bool:
    return tx.execute(select(PEOPLE.c.key).where(PEOPLE.c.role == role).limit(1)).first() is not None


def listed(tx: Connection) -> list[Person]:
    return [Person(**fields(row)) for row in tx.execute(_PERSON.order_by(PEOPLE.c.key.collate("C")))]
