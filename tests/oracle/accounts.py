"""An independent plain reading of the handbook's ACC clauses, for differential tests.

`expect(case)` gives `expected` in the form of the contract; `expect(case, {"reading": "value"})` takes another reading
where the handbook leaves room, and `sensitive_to(case)` names the readings on which a case hangs.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.actions import ASSIGN_OWNER, CREATE_TASK, ESCALATE_OPPORTUNITY, FLAG_CONTACT, OPEN_CASE, SEND_OUTREACH

Record = dict[str, Any]

# question -> (chosen reading, *other readings)
READINGS: dict[str, tuple[str, ...]] = {
    "receivables_needed": ("always", "only_if_they_decide"),  # erp cannot be read, but two signals are known already
    "usage_missing": ("no_signal", "operations"),  # the account has no usage record
    "week_null": ("no_signal", "mean_of_known"),  # one of the eight weeks is not known, or there are fewer than eight
    "zero_before": ("not_down", "down"),  # nothing was used in the four weeks before
    "contact_null": ("no_signal", "signal"),  # last meaningful contact not known
    "future_case": ("not_counted", "counted"),  # a case opened after as_of
    "mark_null": ("escalate", "ignore"),  # do_not_contact or legal_hold not known, the other not set
    "revenue_null": ("operations", "tier_3"),  # yearly revenue not known
    "opt_out_null": ("do_not_write", "write"),  # whether the contact has opted out is not known
    "renewal_past": ("not_within", "within"),  # the renewal date lies before as_of
    "renewals": ("first_listed", "all"),  # several open renewals
    "owner_without_renewal": ("assign", "leave"),  # tier 1, renewal near, no open renewal to escalate
}
DAY = timedelta(days=1)
TIER_1, TIER_2 = 10_000_000, 2_500_000
GATED = (SEND_OUTREACH, ESCALATE_OPPORTUNITY, ASSIGN_OWNER)


class Escalate(Exception):
    """A clause says *escalate to Q*."""

    def __init__(self, queue: str, clause: str) -> None:
        self.queue, self.clause = queue, clause


def when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


def act(name: str, **args: Any) -> Record:
    return {"name": name, "args": args}


def collection(case: Record, system: str, name: str) -> list[Record]:
    """Records of a collection. Raises Escalate to operations (GOV-7) if the system cannot be read."""
    records = case["systems"].get(system, {})
    if records is None:
        raise Escalate("operations", "GOV-7")
    return records.get(name) or []


def of_account(case: Record, system: str, name: str) -> list[Record]:
    subject = case["trigger"]["account_id"]
    return [r for r in collection(case, system, name) if r.get("account_id") == subject]


def usage_sums(case: Record, reading: Mapping[str, str]) -> tuple[float, float] | None:
    """Sums of the last four weeks and of the four before, or None where they are not known."""
    records = of_account(case, "crm", "usage")
    if not records:
        if reading["usage_missing"] == "operations":
            raise Escalate("operations", "GOV-7")
        return None
    weeks = records[0].get("weeks") or []
    late, early = weeks[-4:], weeks[-8:-4]
    if len(late) == len(early) == 4 and None not in late and None not in early:
        return sum(late), sum(early)
    if reading["week_null"] == "no_signal":
        return None
    late, early = [w for w in late if w is not None], [w for w in early if w is not None]
    return (4 * sum(late) / len(late), 4 * sum(early) / len(early)) if late and early else None


def down_by(sums: tuple[float, float] | None, percent: int, reading: Mapping[str, str]) -> bool:
    """Whether usage is down by at least so many percent. Integers, so exactly 30 percent is 30 percent."""
    if sums is None:
        return False
    late, early = sums
    if early == 0:
        return reading["zero_before"] == "down" and late == 0
    return 100 * late <= (100 - percent) * early


def recent_escalations(case: Record, as_of: datetime, reading: Mapping[str, str]) -> int:
    count = 0
    for record in of_account(case, "crm", "cases"):
        opened = when(record.get("opened_at"))
        if record.get("escalated") is not True or opened is None:
            continue
        if opened > as_of and reading["future_case"] == "not_counted":
            continue
        if as_of - opened <= 7 * DAY:
            count += 1
    return count


def account_signals(case: Record, account: Record, as_of: datetime, reading: Mapping[str, str]) -> int:
    """ACC-1 without the receivables: how many of the five signals in the customer system hold."""
    contact, nps = when(account.get("last_meaningful_contact_at")), account.get("nps")
    silent = reading["contact_null"] == "signal" if contact is None else as_of - contact >= 45 * DAY
    return sum(
        (
            recent_escalations(case, as_of, reading) >= 2,
            down_by(usage_sums(case, reading), 30, reading),
            silent,
            account.get("champion_left") is True,
            nps is not None and nps <= 6,
        )
    )


def overdue(case: Record) -> bool:
    days = [r.get("overdue_days") for r in of_account(case, "erp", "receivables")]
    return any(d is not None and d >= 30 for d in days)


def renewal_within(account: Record, as_of: datetime, days: int, reading: Mapping[str, str]) -> bool:
    renewal = when(account.get("renewal_at"))
    if renewal is None:
        return False
    if renewal < as_of:
        return reading["renewal_past"] == "within"
    return renewal - as_of <= days * DAY


def outreach(account: Record, template: str, clause: str, reading: Mapping[str, str]) -> tuple[list[Record], list[str]]:
    """ACC-8: the outreach or what takes its place, and the clauses it cites."""
    subject, contacts = account["account_id"], account.get("contacts") or []
    may_write = (False, None) if reading["opt_out_null"] == "write" else (False,)
    chosen = next((c for c in contacts if c.get("email_status") == "valid" and c.get("opted_out") in may_write), None)
    if chosen is None:
        actions = [act(CREATE_TASK, account_id=subject, kind="find_contact")]
    else:
        actions = [act(SEND_OUTREACH, account_id=subject, contact_id=chosen["contact_id"], template=template)]
    bounced = bool(contacts) and contacts[0].get("email_status") == "bounced"
    if bounced:
        actions.append(act(FLAG_CONTACT, contact_id=contacts[0]["contact_id"], issue="bounced"))
    usual = bool(contacts) and chosen is contacts[0] and not bounced
    return actions, [clause] if usual else [clause, "ACC-8"]


def open_renewals(case: Record, reading: Mapping[str, str]) -> list[Record]:
    found = [o for o in of_account(case, "crm", "opportunities") if o.get("kind") == "renewal" and o.get("open") is True]
    return found if reading["renewals"] == "all" else found[:1]


def at_risk_plan(case: Record, account: Record, as_of: datetime, reading: Mapping[str, str]) -> Record:
    """ACC-4 to ACC-8, for an account at risk."""
    subject, revenue = account["account_id"], account.get("arr_cents")
    marks = [account.get("do_not_contact"), account.get("legal_hold")]
    if True in marks or (None in marks and reading["mark_null"] == "escalate"):
        raise Escalate("account_team", "ACC-7")
    if revenue is None:
        if reading["revenue_null"] == "operations":
            raise Escalate("operations", "GOV-7")
        revenue = 0
    if revenue < TIER_2:
        return answer("nurture", [act(CREATE_TASK, account_id=subject, kind="nurture")], ["ACC-6"])
    first = revenue >= TIER_1
    template, clause, days = ("executive_outreach", "ACC-4", 90) if first else ("csm_outreach", "ACC-5", 60)
    actions, cite = outreach(account, template, clause, reading)
    if renewal_within(account, as_of, days, reading):
        renewals = open_renewals(case, reading)
        actions += [act(ESCALATE_OPPORTUNITY, opportunity_id=o["opportunity_id"]) for o in renewals]
        if first and (renewals or reading["owner_without_renewal"] == "assign"):
            actions.append(act(ASSIGN_OWNER, account_id=subject, owner="csm_lead"))
    return answer("save_play", actions, cite)


def answer(verdict: str, actions: list[Record], cite: list[str]) -> Record:
    role = "reviewer" if any(a["name"] in GATED for a in actions) else "none"
    return {
        "verdict": verdict,
        "actions": actions,
        "before": [],
        "cite": cite,
        "approval": {"role": role, "four_eyes": False},
    }


def review(case: Record, reading: Mapping[str, str]) -> Record:
    as_of, subject = when(case["as_of"]), case["trigger"]["account_id"]
    assert as_of is not None
    accounts = of_account(case, "crm", "accounts")
    if not accounts:
        raise Escalate("operations", "GOV-7")
    account = accounts[0]
    signals = account_signals(case, account, as_of, reading)
    halved = down_by(usage_sums(case, reading), 50, reading)
    if not (reading["receivables_needed"] == "only_if_they_decide" and (signals >= 2 or halved)):
        signals += overdue(case)
    if signals >= 2 or halved:
        return at_risk_plan(case, account, as_of, reading)
    if signals == 1:
        return answer("watch", [act(CREATE_TASK, account_id=subject, kind="check_in")], ["ACC-9"])
    return answer("healthy", [], ["ACC-9"])


def expect(case: Record, readings: Mapping[str, str] | None = None) -> Record:
    """What a careful operator would recommend: verdict, actions, before, cite, approval."""
    reading = {question: answers[0] for question, answers in READINGS.items()} | dict(readings or {})
    try:
        return review(case, reading)
    except Escalate as stop:
        opened = act(OPEN_CASE, queue=stop.queue, subject_id=case["trigger"]["account_id"])
        return answer("escalate", [opened], [stop.clause])


def sensitive_to(case: Record) -> list[str]:
    """The other readings, as `question=answer`, under which this case comes out differently."""
    chosen = json.dumps(expect(case), sort_keys=True)
    others = [(question, other) for question, answers in READINGS.items() for other in answers[1:]]
    return [f"{q}={other}" for q, other in others if json.dumps(expect(case, {q: other}), sort_keys=True) != chosen]
