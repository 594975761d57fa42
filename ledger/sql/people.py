"""People who may decide, in PostgreSQL."""

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from ledger import audit, rules
from ledger.canonical import clean
from ledger.records import Person
from ledger.sql import chain
from ledger.tables import PEOPLE


def add(tx: Connection, name: str, role: str, at: datetime) -> Person:
    key = rules.person_key(name)
    rules.authority(role)
    known = find(tx, name)
    person = Person(name=known.name if known else clean(name).strip(), role=role)
    if person == known:
        return person
    changed = insert_or(PEOPLE).values(key=key, **vars(person))
    tx.execute(changed.on_conflict_do_update(index_elements=["key"], set_={"role": role}))
    chain.append(tx, at, "person_added", "", audit.of_person(person))
    return person


def find(tx: Connection, name: str) -> Person | None:
    if not name.strip():
        return None
    row = tx.execute(select(PEOPLE.c.name, PEOPLE.c.role).where(PEOPLE.c.key == rules.person_key(name))).first()
    return Person(name=row.name, role=row.role) if row else None


def listed(tx: Connection) -> list[Person]:
    rows = tx.execute(select(PEOPLE.c.name, PEOPLE.c.role).order_by(PEOPLE.c.key.collate("C")))
    return [Person(name=row.name, role=row.role) for row in rows]
