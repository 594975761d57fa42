"""Recorded exceptions with another fact in them, and what a Mission says to each.

A place is named as the Explain rail and the drift of a proposal name it: collection, record, and the path in the record.

>>> riskier = with_value(lab, case, "payments.payments", "O-99308", "fraud/score", 0.8)
>>> vary(lab, case, "payments.payments", "O-99308", "fraud/score", [0.2, 0.5, 0.8])
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pandas as pd

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment, Evaluation
from evals.recorded.cases import RecordedException
from rendering import approver
from systems.schema import RecordSchema


def with_value(
    environment: EvalEnvironment, case: RecordedException, collection: str, record: str, path: str, value: Any
) -> RecordedException:
    """The exception with one value changed; what was expected of it is not known then.

    Args:
        environment: with what the systems hold.
        collection: such as payments.payments.
        record: its key; of several fields "HP-1, DC-2".
        path: fields from the outside in, the elements of a list by their ids: fraud/score, lines/2/qty.

    Raises BadInput where there is no such place.
    """
    schema, systems = environment.catalogue.record_schema, deepcopy(dict(case.systems))
    holder: Any = _record(schema, systems, collection, record)
    *outer, last = path.split("/")
    for depth, name in enumerate(outer):
        holder = _inside(holder, schema.part_key(collection, outer[depth - 1]) if depth else "", name)
    if not isinstance(holder, dict) or last not in holder:
        raise BadInput(f"{collection} {record} has no {path}; name the fields from the outside in, such as fraud/score")
    holder[last] = value
    return replace(case, systems=systems, expected=None, raw={**case.raw, "systems": systems, "expected": None})


def vary(
    environment: EvalEnvironment, case: RecordedException, collection: str, record: str, path: str, values: Iterable[Any]
) -> pd.DataFrame:
    """What the Mission says with each of the values in that place: a row a value. Money in cents."""
    evaluation, rows = Evaluation(environment), []
    for value in values:
        result = evaluation.run(with_value(environment, case, collection, record, path, value))
        rows.append(
            {
                path: value,
                "verdict": result["verdict"],
                "plan": " → ".join(action["name"] for action in result["actions"]),
                "cites": ", ".join(result["cite"]),
                "approval": approver(result["approval"]["role"], result["approval"]["four_eyes"]),
                "money_at_stake_cents": result["money_at_stake_cents"],
            }
        )
    return pd.DataFrame(rows)


def _record(schema: RecordSchema, systems: dict[str, Any], collection: str, record: str) -> dict[str, Any]:
    if collection not in schema.collections:
        raise BadInput(f"there is no collection {collection}; there are {', '.join(schema.collections)}")
    system, name = collection.split(".")
    for one in (systems.get(system) or {}).get(name, ()):
        if ", ".join(map(str, schema.key_of(collection, one))) == record:
            found: dict[str, Any] = one
            return found
    raise BadInput(f"{collection} of this exception has no record {record}; see `case.systems`")


def _inside(holder: Any, key: str, name: str) -> Any:
    if isinstance(holder, list):
        return next((element for element in holder if str(element.get(key)) == name), None)
    return holder.get(name) if isinstance(holder, dict) else None
