"""The kinds of exceptions that are looked for in a history, a file each: definition, what it needs, and its query.

A query reads `lines`, `authorizations`, `charges`, `cancellations`, `adjustments` (rows of the layout by record, of the orders
that a detector suspects; the moment of a row is `moment`, what a cancellation is held against is `origin`), the tables of
`relations` and `sketches`, and thresholds by `getvariable`. It gives subject, other_id, customer_id, moment, money_cents, says;
no two rows with the same subject and other_id. What is not known (null) is never an exception.
"""

from evals.history.detectors.authorization_short import AUTHORIZATION_SHORT
from evals.history.detectors.cancellation_without_order import CANCELLATION_WITHOUT_ORDER
from evals.history.detectors.capture_mismatch import CAPTURE_MISMATCH
from evals.history.detectors.capture_missing import CAPTURE_MISSING
from evals.history.detectors.double_charge import DOUBLE_CHARGE
from evals.history.detectors.duplicate_order import DUPLICATE_ORDER
from evals.history.detectors.late_promise import LATE_PROMISE
from evals.history.detectors.price_outlier import PRICE_OUTLIER
from evals.history.detectors.repeated_line import REPEATED_LINE
from evals.history.detectors.stock_adjustment import STOCK_ADJUSTMENT
from evals.history.detectors.stock_short import STOCK_SHORT

#: in this order: `capture_mismatch` leaves out what `double_charge` found
DETECTORS = (
    DUPLICATE_ORDER,
    DOUBLE_CHARGE,
    CAPTURE_MISSING,
    CAPTURE_MISMATCH,
    AUTHORIZATION_SHORT,
    STOCK_SHORT,
    STOCK_ADJUSTMENT,
    REPEATED_LINE,
    CANCELLATION_WITHOUT_ORDER,
    LATE_PROMISE,
    PRICE_OUTLIER,
)
