"""The customer system of the sandbox company: its write tools."""

from sqlalchemy import select

from errors import Refused
from systems.sandbox import tables as t
from systems.sandbox.arguments import Cents, Id, Prose, Words
from systems.sandbox.shapes import Row
from systems.sandbox.work import Work


def send_message(work: Work, customer_id: Id, template: Words, text: Prose | None = None) -> None:
    """Send a customer a message made from a template, with a text of its own if there is one."""
    work.row(t.CUSTOMERS, customer_id=customer_id)
    work.do("crm.messages", customer_id, template=template, text=text)


def send_outreach(work: Work, account_id: Id, contact_id: Id, template: Words, text: Prose | None = None) -> None:
    """Write to a contact of an account that may be contacted, at an address that works."""
    account = work.row(t.ACCOUNTS, account_id=account_id)
    if account["do_not_contact"] or account["legal_hold"]:
        raise Refused(f"Account {account_id} must not be contacted.")
    contact = next((one for one in account["contacts"] or () if one.get("contact_id") == contact_id), None)
    if contact is None:
        raise Refused(f"Account {account_id} has no contact {contact_id}.")
    if contact.get("email_status") != "valid" or contact.get("opted_out"):
        raise Refused(f"Contact {contact_id} has no working address or does not want to be written to.")
    work.do("crm.outreach", account_id, contact_id=contact_id, template=template, text=text)


def offer_credit(work: Work, customer_id: Id, amount_cents: Cents) -> None:
    """Offer a customer a credit."""
    work.row(t.CUSTOMERS, customer_id=customer_id)
    work.do("crm.credits", customer_id, amount_cents=amount_cents)


def create_task(work: Work, account_id: Id, kind: Words) -> None:
    """Give the account's team something to do."""
    work.row(t.ACCOUNTS, account_id=account_id)
    work.do("crm.tasks", account_id, kind=kind)


def flag_contact(work: Work, contact_id: Id, issue: Words) -> None:
    """Note what is wrong with a contact."""
    holders = select(t.ACCOUNTS.c.account_id).where(t.ACCOUNTS.c.contacts.contains([{"contact_id": contact_id}]))
    if work.connection.execute(holders).first() is None:
        raise Refused(f"There is no contact {contact_id}.")
    work.do("crm.contact_flags", contact_id, issue=issue)


def escalate_opportunity(work: Work, opportunity_id: Id) -> None:
    """Bring an open opportunity to the attention of the management."""
    opportunity = work.row(t.OPPORTUNITIES, opportunity_id=opportunity_id)
    if not opportunity["open"]:
        raise Refused(f"Opportunity {opportunity_id} is closed.")
    if opportunity["escalated"]:
        raise Refused(f"Opportunity {opportunity_id} is escalated already.")
    work.change(t.OPPORTUNITIES, opportunity, escalated=True)


def assign_owner(work: Work, account_id: Id, owner: Id) -> None:
    """Give an account another owner."""
    work.change(t.ACCOUNTS, work.row(t.ACCOUNTS, account_id=account_id), owner_id=owner)


def change_subscription(work: Work, subscription_id: Id, plan: Words) -> None:
    """Change the plan of an active subscription; the plan "cancelled" cancels it."""
    subscription = _active(work, subscription_id)
    if plan == "cancelled":
        work.change(t.SUBSCRIPTIONS, subscription, status="cancelled")
    else:
        work.change(t.SUBSCRIPTIONS, subscription, plan=plan)


def send_password_reset(work: Work, customer_id: Id) -> None:
    """Send a customer a link to set a new password."""
    work.row(t.CUSTOMERS, customer_id=customer_id)
    work.do("crm.password_resets", customer_id)


def open_case(work: Work, queue: Words, subject_id: Id) -> None:
    """Open a case about a subject in the queue of a team."""
    work.do("crm.queued_cases", subject_id, queue=queue)


def _active(work: Work, subscription_id: str) -> Row:
    subscription = work.row(t.SUBSCRIPTIONS, subscription_id=subscription_id)
    if subscription["status"] != "active":
        raise Refused(f"Subscription {subscription_id} is {subscription['status']}, so it cannot change.")
    return subscription


WRITES = (
    send_message,
    send_outreach,
    offer_credit,
    create_task,
    flag_contact,
    escalate_opportunity,
    assign_owner,
    change_subscription,
    send_password_reset,
    open_case,
)
DESTRUCTIVE = (change_subscription,)
