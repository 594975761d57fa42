"""Corrections of stock that say that it was not there: PHA-1."""

from evals.history.detectors.detector import IS_OPEN, Detector

STOCK_ADJUSTMENT = Detector(
    kind="stock_adjustment",
    definition="A correction took at least PHA-1 `shortfall_units` from the stock, or at least `shortfall_percent` of what was "
    "on hand (where the history tells). The subject is `SKU@location`, or the SKU; the other is the correction.",
    needs=("record_id", "at", "sku", "qty"),
    records=("adjustment",),
    event=("omnichannel_exception", "inventory.discrepancy"),
    sketch=(IS_OPEN,),
    # it needs none to be found, but its case tells of the open orders at its shelf
    suspects="is_open",
    query="""
select subject, record_id as other_id, null as customer_id, min(moment) as moment, null as money_cents,
    format('The stock of {} was corrected by {}.', subject, sum(qty)::bigint) as says
from (select *, concat_ws('@', sku, location) as subject from adjustments)
where qty < 0 and sku is not null and record_id is not null
    and (-qty >= getvariable('shortfall_units') or -qty * 100 >= getvariable('shortfall_percent') * on_hand)
group by subject, record_id
""",
)
