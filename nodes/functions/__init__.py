"""Named functions that the conditions of any pack may use.

Plain functions take and return plain data. Those over the case are methods of `RecordFunctions`, which are made for
one case and see what it has read, and what its plan has used up so far.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nodes.functions import plain
from nodes.functions.mentions import order_numbers, without_order_numbers
from nodes.functions.stock import RecordFunctions, promised_latest_first
from systems.values import VALUE_FUNCTIONS

PLAIN_FUNCTIONS: Mapping[str, Callable[..., Any]] = dict(VALUE_FUNCTIONS) | {
    function.__name__: function
    for function in (
        plain.billed_beyond_receipt, plain.charged_cents, plain.days_between, plain.duplicates, plain.earliest, plain.fallen_by,
        plain.is_later, plain.latest, plain.left_cents, plain.lines_cents, plain.newest_charge, plain.payment_of,
        plain.priced_otherwise, plain.refundable, plain.repeated_invoices, plain.separate_purchases, plain.skus_of,
        plain.substitute_skus, order_numbers, without_order_numbers, promised_latest_first,
    )
}  # fmt: skip
#: Over the plan so far; the planner and the check give them.
PLAN_FUNCTIONS = ("planned", "unmet")
FUNCTION_NAMES = frozenset({*PLAIN_FUNCTIONS, *RecordFunctions.NAMES, *PLAN_FUNCTIONS})
