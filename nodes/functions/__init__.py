"""Named functions that the conditions of any pack may use.

Plain functions take and return plain data; those over the case (stock and deliveries) are made for one case by
`case_functions` and see what the plan has used up so far.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nodes.functions.orders import (
    duplicates,
    is_later,
    lines_cents,
    payment_of,
    refundable,
    separate_purchases,
    substitute_skus,
)
from nodes.functions.stock import STOCK_FUNCTIONS
from nodes.functions.times import days_between, latest

PLAIN_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        days_between,
        duplicates,
        is_later,
        latest,
        lines_cents,
        payment_of,
        refundable,
        separate_purchases,
        substitute_skus,
    )
}
#: Over the plan so far; the planner and the check give them.
PLAN_FUNCTIONS = ("planned", "unmet")
FUNCTION_NAMES = frozenset({*PLAIN_FUNCTIONS, *STOCK_FUNCTIONS, *PLAN_FUNCTIONS})
