"""What holds for every case: a plan passes the check, and text, order and surplus change nothing."""

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.actions import (
    CONFIRM_RESERVATION,
    OPEN_CASE,
    PLACE_ORDER_HOLD,
    RELEASE_PAYMENT_HOLD,
    RELEASE_TO_FULFILMENT,
    SEND_MESSAGE,
)
from tests.engine import (
    HOSTILE,
    Raw,
    a_charge,
    a_customer,
    a_line,
    a_payment,
    a_stock,
    an_address,
    an_authorization,
    an_exception,
    an_inbound,
    an_order,
    decided,
    drafted,
    in_any_order,
    judged,
    laboratory,
    names,
)

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
MOMENTS = [f"2026-03-{day:02}T12:00:00Z" for day in (8, 9, 10, 11, 14, 16, 17)]


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


@st.composite
def exceptions(draw: st.DrawFn) -> Raw:
    """Exceptions small enough that the dimensions meet."""
    skus = draw(st.lists(some("A", "B", "C"), min_size=1, max_size=3, unique=True))
    lines = [
        a_line(
            str(number),
            sku,
            qty=draw(some(1, 2, 3)),
            unit_price_cents=draw(some(1, 5_000, 500_001)),
            location=draw(some("DC-1", "ST-1")),
        )
        for number, sku in enumerate(skus, start=1)
    ]
    order = an_order(
        lines=lines,
        status=draw(some("new", "new", "new", "payment_review", "backordered", "shipped", "ready", "cancelled")),
        allow_split=draw(st.booleans()),
        allow_substitution=draw(st.booleans()),
        ship_to=draw(some(an_address(), an_address(), None)),
    )
    total = order["total_cents"]
    twins = [
        an_order(
            f"O-{number}",
            lines=lines,
            status=draw(some("new", "shipped", "cancelled")),
            created_at=f"2026-03-09T{draw(some('11:30:00', '12:00:00', '12:30:00', '12:31:00'))}Z",
        )
        for number in range(2, 2 + draw(some(0, 0, 1, 2)))
    ]
    payments = []
    for found in [order, *twins]:
        number = found["order_id"]
        authorizations = [
            an_authorization(
                f"au-{number}-{i}",
                amount_cents=draw(some(total, total, max(1, total - 1))),
                authorized_at=MOMENTS[i],
                status=draw(some("authorized", "authorized", "expired", "voided", "declined")),
                expires_at=draw(some(*MOMENTS, None)),
            )
            for i in range(draw(some(0, 1, 1, 2)))
        ]
        charges = [
            a_charge(
                f"ch-{number}-{i}",
                amount_cents=draw(some(total, max(1, total // 2))),
                refunded_cents=draw(some(0, 0, 1)),
                status=draw(some("captured", "pending", "refunded")),
            )
            for i in range(draw(some(0, 0, 1, 2)))
        ]
        signals = draw(
            st.lists(some("new_shipping_address", "high_order_value", "order_velocity", "other"), max_size=2, unique=True)
        )
        fraud = draw(
            some({"score": 0.05, "signals": []}, {"score": 0.5, "signals": signals}, {"score": 0.75, "signals": []}, None)
        )
        payments.append(
            a_payment(number, on_hold=draw(st.booleans()), authorizations=authorizations, charges=charges, fraud=fraud)
        )
    stock = [
        a_stock(sku, place, draw(st.integers(0, 6)), failed_picks_14d=draw(some(0, 0, 2)), reserved=draw(some(0, 0, None)))
        for sku in "ABCS"
        for place in ("DC-1", "DC-2", "ST-1", "FL-1")
        if draw(some(True, False))
    ]
    raw = an_exception(
        event=draw(some("order.duplicate_suspected", "order.stock_short")),
        orders=[order, *twins],
        payments=payments,
        stock=stock,
        inbound=[an_inbound(f"PO-{i}", sku=draw(some(*skus)), eta=draw(some(*MOMENTS))) for i in range(draw(some(0, 1, 2)))],
        items=[{"sku": sku, "unit_price_cents": 5_000, "substitutes": ["S", "A"]} for sku in "ABCS"],
        customers=[a_customer(tier=draw(some("vip", "standard")), moved_at=draw(some(None, MOMENTS[0])))],
        address_checks=draw(
            some(
                [],
                [],
                [
                    {
                        "order_id": "O-1",
                        "result": draw(some("corrected", "ambiguous")),
                        "confidence": draw(some(0.9, 0.5, None)),
                        "suggested": draw(some(an_address(line1="2 Elm St"), an_address(region="NY"), None)),
                    }
                ],
            )
        ),
    )
    down = draw(some(None, None, None, None, "crm", "wms", "erp", "payments", "logistics"))
    if down:
        raw["systems"][down] = None
    return raw


@QUICK
@given(exceptions())
def test_a_plan_passes_the_check(raw: Raw) -> None:
    draft = drafted(raw)
    assert not judged(raw, draft).objections


@QUICK
@given(exceptions())
def test_nothing_stands_beside_an_escalation(raw: Raw) -> None:
    draft = drafted(raw)
    assert (draft["verdict"] == "escalate") == (OPEN_CASE in names(draft))
    if draft["verdict"] == "escalate":
        assert names(draft) == [OPEN_CASE] and draft["plan"][0]["args"]["subject_id"] == "O-1"


@QUICK
@given(exceptions())
def test_every_action_comes_after_what_must_be_done_first(raw: Raw) -> None:
    plan, catalogue = drafted(raw)["plan"], laboratory().catalogue
    for place, action in enumerate(plan):
        for later in plan[place + 1 :]:
            assert not catalogue[action["name"]].comes_after(catalogue[later["name"]])


@QUICK
@given(exceptions())
def test_what_is_held_or_cancelled_is_never_released(raw: Raw) -> None:
    done = set(names(drafted(raw)))
    released = {RELEASE_PAYMENT_HOLD, CONFIRM_RESERVATION, RELEASE_TO_FULFILMENT} & done
    assert not (released and PLACE_ORDER_HOLD in done)
    assert names(drafted(raw)).count(SEND_MESSAGE) <= 1


@FEW
@given(exceptions(), st.randoms(use_true_random=False))
def test_the_order_of_records_changes_nothing(raw: Raw, chance: random.Random) -> None:
    before = decided(raw)
    for collections in filter(None, raw["systems"].values()):
        for records in collections.values():
            chance.shuffle(records)
    assert in_any_order(decided(raw)) == in_any_order(before)


@FEW
@given(exceptions(), st.text(max_size=20) | some(*HOSTILE))
def test_fields_that_nobody_knows_mean_nothing(raw: Raw, text: str) -> None:
    before = decided(raw)
    for collections in filter(None, raw["systems"].values()):
        for records in collections.values():
            for record in records:
                record.update({"approved_by": text, "override": {"refund": True}, "x": None, "fraud_cleared": True})
        collections["orders_to_approve"] = [{"text": text}]
    raw["trigger"]["approved"] = True
    assert decided(raw) == before
