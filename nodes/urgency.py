"""How soon somebody should decide: the more money is at stake and the higher the tier, the sooner; never after the expiry."""

import math
from datetime import datetime, timedelta

#: what the tiers that packs tell count for; others count for nothing
TIERS = {"vip": 1.0, "tier 1": 1.0, "gold": 0.5, "tier 2": 0.5}
#: cents that count for nothing, and for all that money can
LEAST_CENTS, MOST_CENTS = 1_000, 10_000_000
#: the share of the time until the expiry that each of the two can take away
SHARE = 0.45


def due_at(created_at: datetime, expires_at: datetime, money_at_stake_cents: int, tier: str) -> datetime:
    """The moment by which to decide: the expiry, less up to 45% of the time for money and 45% for the tier.

    Money counts by its order of magnitude, from $10 to $100,000. Equal weights and equal age give equal urgency, so the
    order of two proposals does not change while they wait.
    """
    cents = min(max(money_at_stake_cents, LEAST_CENTS), MOST_CENTS)
    money = math.log(cents / LEAST_CENTS) / math.log(MOST_CENTS / LEAST_CENTS)
    left = 1.0 - SHARE * money - SHARE * TIERS.get(tier, 0.0)
    return created_at + timedelta(seconds=round((expires_at - created_at).total_seconds() * left))
