"""Fields of records that a pack lets a language model see, and those that no pack can."""

import re

from systems.catalogue import ADDRESS_FIELDS

#: they tell who somebody is, or where
PERSONAL = frozenset({*ADDRESS_FIELDS, "ship_to", "suggested", "address", "email", "phone", "owner_id"})
_PATH = re.compile(r"\w+(?:\.\w+)*")


def why_not_shown(field: str) -> str | None:
    """Why a field, dotted into records and lists, cannot be shown to a model; None if it can."""
    if not _PATH.fullmatch(field):
        return f"{field!r} is not a field; write it as status, or as lines.sku in a record or a list"
    personal = sorted(PERSONAL.intersection(field.split(".")))
    return f"{personal[0]!r} identifies or locates a person, and no model may see it; remove it" if personal else None
