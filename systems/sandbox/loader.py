"""Recorded exceptions into the sandbox company, each whole or not at all.

Every case is a small closed world: that it says nothing more about a customer means there is nothing more. Two cases
fit into one company only if about whatever both speak of they say the same; otherwise a read for the one would give
answers of the other. Locations are the exception: they are the same company's in all cases and are merged.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError

from errors import BadInput
from systems.sandbox import database as db
from systems.sandbox.company import RECORD_TABLES
from systems.sandbox.database import Row, clean, create_schema, digest, engine_of, is_moment, rows_of

Records = dict[str, list[Mapping[str, Any]]]


@dataclass(frozen=True)
class LoadReport:
    """Which cases are in the sandbox company now, and why the others are not (case id -> sentence)."""

    loaded: list[str]
    refused: dict[str, str]


def load_cases(
    url: str, cases: Iterable[Mapping[str, Any]], *, feed: bool = False, on_progress: Callable[[str], None] | None = None
) -> LoadReport:
    """Load recorded exceptions (evals/cases/README.md); `on_progress` is called with each case id when it is done.

    With `feed` their events are put on the company's feed, from which Missions take them in.
    A case is refused when a system of it is null, when its records are malformed, or when another case has already said
    something else about one of its orders, customers, SKUs …; the same case again changes nothing and counts as loaded.
    """
    create_schema(url)
    report = LoadReport([], {})
    with engine_of(url).connect() as connection:
        for case in cases:
            case_id = str(case.get("case_id"))
            try:
                with connection.begin():
                    _load(connection, case_id, case)
                    if feed:  # once; one at a time, so that none is seen before a lower number
                        event = {"source_id": case_id, **{name: case.get(name) for name in ("mission", "as_of", "trigger")}}
                        row = upsert(db.EVENTS).values(source_id=case_id, event=clean(event))
                        connection.execute(row.on_conflict_do_nothing(index_elements=["source_id"]))
                report.loaded.append(case_id)
            except BadInput as refusal:
                report.refused[case_id] = str(refusal)
            if on_progress:
                on_progress(case_id)
    return report


def _load(connection: Connection, case_id: str, case: Mapping[str, Any]) -> None:
    records = _records(case_id, case)
    as_of = str(case.get("as_of"))
    if not is_moment(as_of):
        raise BadInput(f"Case {case_id} has no as_of such as 2026-03-07T00:53:46Z; say when it was recorded.")
    # One load at a time, so that two cannot claim the same SKU.
    connection.execute(text(f"lock table {db.CLAIMS.fullname} in share row exclusive mode"))
    known = connection.execute(select(db.LOADED.c.digest).where(db.LOADED.c.case_id == case_id)).scalar()
    if known == digest(records):
        return
    if known is not None:
        raise BadInput(f"Another case {case_id} is in the sandbox; give this one another id, or reset the sandbox.")
    connection.execute(insert(db.LOADED).values(case_id=case_id, digest=digest(records)))
    fresh = _claim(connection, case_id, records)
    pickups = {str(order.get("pickup_location")) for order in records.get("oms.orders", ())}
    for location in records.pop("wms.locations", []):
        _merge_location(connection, case_id, location, pickups)
    for collection, found in records.items():
        # what another case has brought already, it has claimed with all that it speaks of
        _insert(connection, case_id, collection, [one for one in found if _claims({collection: [one]}).keys() & fresh])
    # The company's own bookkeeping: a released order's units are part of wms.stock.reserved, so cancelling it sets them free.
    orders = [record["order_id"] for record in records.get("oms.orders", ())]
    released = select(db.ORDERS.c.order_id).where(db.ORDERS.c.order_id.in_(orders), db.ORDERS.c.status == "ready")
    in_stock = db.ORDER_LINES.c.order_id.in_(released) & db.ORDER_LINES.c.backorder_po_id.is_(None)
    connection.execute(update(db.ORDER_LINES).where(in_stock).values(reserved=True))
    paid = db.PAYMENTS.c.order_id.in_([record["order_id"] for record in records.get("payments.payments", ())])
    connection.execute(update(db.PAYMENTS).where(paid & db.PAYMENTS.c.clock_at.is_(None)).values(clock_at=as_of))


def _records(case_id: str, case: Mapping[str, Any]) -> Records:
    systems = case.get("systems")
    if not isinstance(systems, Mapping):
        raise BadInput(f"Case {case_id} has no systems; give a recorded exception; see evals/cases/README.md.")
    records: Records = {}
    known = {collection.partition(".")[0] for collection in RECORD_TABLES}
    for system, collections in systems.items():
        if system not in known:
            raise BadInput(
                f"Case {case_id} holds records of {system}, which is no system of the sandbox company; "
                "a case of other systems runs on what was recorded: `missions eval FILE --out RESULTS`."
            )
        if collections is None:
            raise BadInput(
                f"Case {case_id} was recorded while {system} could not be reached, and an outage cannot be loaded; "
                "replay it with recorded systems instead."
            )
        for name, found in collections.items() if isinstance(collections, Mapping) else ():
            collection = f"{system}.{name}"
            if collection not in RECORD_TABLES or not found:
                continue
            if not isinstance(found, list) or not all(isinstance(record, Mapping) for record in found):
                raise BadInput(f"Case {case_id}: {collection} is not a list of records; correct the case.")
            records[collection] = clean(found)
    return records


def _claim(connection: Connection, case_id: str, records: Records) -> set[tuple[str, str]]:
    """Claim what the case speaks of; returns what no other case has spoken of yet."""
    claims = _claims(records)
    query = select(db.CLAIMS).where(tuple_(db.CLAIMS.c.kind, db.CLAIMS.c.id).in_(list(claims)))
    known = {(row["kind"], row["id"]): row for row in connection.execute(query).mappings()} if claims else {}
    for about, row in known.items():
        if row["digest"] != claims[about]:
            raise BadInput(
                f"Case {case_id} says something else about {about[0]} {about[1]} than case {row['case_id']}, which is "
                "in the sandbox already; a case says all there is about what it names, its orders and tickets too. Give both "
                f"cases the same records of it, name another {about[0]}, or reset the sandbox."
            )
    fresh = claims.keys() - known.keys()
    if fresh:
        rows = [{"kind": kind, "id": id_, "digest": claims[kind, id_], "case_id": case_id} for kind, id_ in fresh]
        connection.execute(insert(db.CLAIMS), rows)
    return set(fresh)


def _merge_location(connection: Connection, case_id: str, record: Mapping[str, Any], pickups: set[str]) -> None:
    row = rows_of("wms.locations", record)[db.LOCATIONS][0]
    this = db.LOCATIONS.c.location == row["location"]
    known = connection.execute(select(db.LOCATIONS).where(this)).mappings().first()
    if known is None:
        connection.execute(insert(db.LOCATIONS).values(row))
        return
    if known["type"] != row["type"]:
        raise BadInput(
            f"Case {case_id} calls location {row['location']} a {row['type']}, and the sandbox knows it as a "
            f"{known['type']}; reset the sandbox to load this one."
        )
    # A distance that is known stays, so that loading never changes an answer given before.
    merged = {**(row["km_to"] or {}), **(known["km_to"] or {})}
    if row["location"] in pickups and any(merged[place] != km for place, km in (row["km_to"] or {}).items()):
        raise BadInput(
            f"Case {case_id} knows other distances from its pickup store {row['location']} than the sandbox, and "
            "they decide about it; reset the sandbox to load this one."
        )
    if merged != known["km_to"]:
        connection.execute(update(db.LOCATIONS).where(this).values(km_to=merged))


def _insert(connection: Connection, case_id: str, collection: str, found: list[Mapping[str, Any]]) -> None:
    by_table: dict[Any, list[Row]] = defaultdict(list)
    for record in found:
        for table, rows in rows_of(collection, record).items():
            by_table[table] += rows
    try:
        for table, rows in by_table.items():
            if rows:
                connection.execute(insert(table), rows)
    except DBAPIError as error:
        problem = str(error.orig).partition("\n")[0]
        raise BadInput(f"Case {case_id} has {collection} that no company could have ({problem}); fix the case.") from error


def _claims(records: Mapping[str, list[Mapping[str, Any]]]) -> dict[tuple[str, str], str]:
    """(kind, id) -> digest of all that the records say about it."""
    statements: dict[tuple[str, str], list[str]] = defaultdict(list)
    for collection, found in records.items():
        one = RECORD_TABLES[collection]
        for record in found:
            inside = [(element, part.about) for name, part in one.parts.items() for element in record.get(name) or ()]
            named = {
                (kind, piece[field])
                for piece, about in ((record, one.about), *inside)
                for kind, field in about.items()
                if isinstance(piece, Mapping) and isinstance(piece.get(field), str)
            }
            for about in named:
                statements[about].append(f"{collection} {json.dumps(record, sort_keys=True)}")
    return {about: digest(sorted(all_of_it)) for about, all_of_it in statements.items()}
