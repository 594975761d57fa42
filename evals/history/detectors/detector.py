"""What a kind of exception is made of."""

from dataclasses import dataclass

#: sketches that several detectors want: nothing has been released of the order (ORD-2), it was handed over
IS_OPEN = "bool_or(list_contains(getvariable('open_statuses'), status)) as is_open"
HAS_LEFT = "bool_or(status in ('shipped', 'delivered')) as has_left"


@dataclass(frozen=True, kw_only=True)
class Detector:
    """One kind of exception in a history."""

    kind: str
    #: what it is, in a sentence or two; docs/history.md repeats it
    definition: str
    #: columns of the layout without which it is not looked for
    needs: tuple[str, ...]
    #: records of which there must be at least one, and lines always
    records: tuple[str, ...] = ()
    #: (mission, event) that handles it; none where no Mission does
    event: tuple[str, str] | None = None
    #: SQL of a table that has to be made of all records before
    prepared: str | None = None
    #: SQL of what has to be known of the lines of an order to suspect it, each "an aggregate as name"
    sketch: tuple[str, ...] = ()
    #: SQL of a condition on these, and on what was paid (`sketches.suspects`), that is true of every order of which the query
    #: could find something, and of few others
    suspects: str
    query: str
