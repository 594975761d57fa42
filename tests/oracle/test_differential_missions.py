"""The engine and independent plain readings of the handbook decide generated cases of the other Missions alike."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any

import pytest

from evals.evaluation.understanding import read_phrasings
from nodes.functions.mentions import order_numbers
from settings import CHECKOUT
from tests.engine import laboratory, result
from tests.oracle import generate_accounts, generate_invoices, generate_omnichannel, generate_support

SEED, CASES, PARTS = 20260310, 150, 3
PHRASINGS = CHECKOUT / "evals" / "phrasings" / "first" / "support"

Case = dict[str, Any]


def accounts(seed: int, count: int) -> Iterator[Case]:
    yield from generate_accounts.generate(seed, count, clear_only=True)


def invoices(seed: int, count: int) -> Iterator[Case]:
    """Without those of which freight or tax is not known: the plain reading disputes the sum, the engine cannot tell it."""
    found = generate_invoices.generate(seed, 2 * count, clear_only=True)
    yield from islice((case for case in found if not sum_is_not_known(case)), count)


def sum_is_not_known(case: Case) -> bool:
    own = subject(case, "erp", "invoices", "invoice_id")
    return None in (own.get("freight_cents", 0), own.get("tax_cents", 0))


def omnichannel(seed: int, count: int) -> Iterator[Case]:
    """Without orders that the plain reading moves and the action catalogue does not: those that are ready, and those to be
    picked up nobody knows where.
    """
    found = generate_omnichannel.clear_cases(seed, 100 * count)
    yield from islice((case for case in found if not cannot_be_moved(case)), count)


def cannot_be_moved(case: Case) -> bool:
    event, order = case["trigger"]["event"], subject(case, "oms", "orders", "order_id")
    ready = event == "order.vip_conflict" and order.get("status") == "ready"
    return ready or (event == "bopis.pick_failed" and order.get("pickup_location") is None)


def support(seed: int, count: int) -> Iterator[Case]:
    """Messages that are understood: what is compared is what follows from a message. How many are understood is measured
    elsewhere. Without payments whose charges are not recorded: the plain reading takes them for none.
    """
    found = generate_support.generate(seed, 6 * count, phrasings())
    clear = (case for case in found if not case["sensitive"] and is_understood(case) and charges_are_recorded(case))
    yield from islice(clear, count)


def is_understood(case: Case) -> bool:
    text = case["trigger"]["text"]
    understood = laboratory().phrasebook.understand("support", text)["intent"]
    return bool(order_numbers(text) == case["named"] and understood == case["intent"])


def charges_are_recorded(case: Case) -> bool:
    return all("charges" in payment for payment in (case["systems"]["payments"] or {}).get("payments", []))


def subject(case: Case, system: str, collection: str, key: str) -> Case:
    records = (case["systems"][system] or {}).get(collection, [])
    return next((record for record in records if record[key] == case["trigger"].get(key)), {})


@cache
def phrasings() -> dict[str, list[str]]:
    return {intent: lines for intent, lines in read_phrasings(PHRASINGS).items() if intent != "chatter"}


def counted(found: Any) -> Counter[str]:
    """The actions by the arguments that count."""
    catalogue = laboratory().catalogue
    return Counter(
        json.dumps([action["name"], [action["args"].get(name) for name in catalogue[action["name"]].counting]])
        for action in found["actions"]
    )


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("generated", [accounts, invoices, omnichannel, support])
@pytest.mark.slow
def test_engine_and_plain_reading_decide_alike(generated: Callable[[int, int], Iterator[Case]], part: int) -> None:
    compared = 0
    for case in generated(SEED + part, CASES // PARTS):
        wanted, found = case["expected"], result(case)
        compared += 1
        said = f"{case['case_id']}, {case['trigger']}"
        assert (found["verdict"], counted(found)) == (wanted["verdict"], counted(wanted)), said
        assert set(found["cite"]) == set(wanted["cite"]), said
        assert found["approval"] == wanted["approval"], said
        names = [action["name"] for action in found["actions"]]
        for earlier, later in wanted["before"]:
            assert names.index(wanted["actions"][earlier]["name"]) < names.index(wanted["actions"][later]["name"]), said
    assert compared == CASES // PARTS
