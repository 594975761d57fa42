"""Named functions that the conditions of any pack may use.

Plain functions take and return plain data. Those over the case are methods of `Stock` and `Claims`, which are made for
one case and see what it has read, and what its plan has used up so far.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nodes.functions.accounts import fallen_by
from nodes.functions.invoices import billed_beyond_receipt, money, priced_otherwise, repeated_invoices
from nodes.functions.mentions import order_numbers, without_order_numbers
from nodes.functions.orders import (
    charged_cents,
    duplicates,
    is_later,
    left_cents,
    lines_cents,
    newest_charge,
    payment_of,
    refundable,
    separate_purchases,
    skus_of,
    substitute_skus,
)
from nodes.functions.stock import CLAIM_FUNCTIONS, STOCK_FUNCTIONS, promised_latest_first
from nodes.functions.times import days_between, earliest, latest

PLAIN_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        billed_beyond_receipt,
        charged_cents,
        days_between,
        duplicates,
        earliest,
        fallen_by,
        is_later,
        latest,
        left_cents,
        lines_cents,
        money,
        newest_charge,
        order_numbers,
        payment_of,
        priced_otherwise,
        promised_latest_first,
        refundable,
        repeated_invoices,
        separate_purchases,
        skus_of,
        substitute_skus,
        without_order_numbers,
    )
}
#: Over the plan so far; the planner and the check give them.
PLAN_FUNCTIONS = ("planned", "unmet")
FUNCTION_NAMES = frozenset({*PLAIN_FUNCTIONS, *STOCK_FUNCTIONS, *CLAIM_FUNCTIONS, *PLAN_FUNCTIONS})
