"""Who is at the page, as the ledger has them now, and what they may."""

import streamlit as st

from dashboard.company import company
from errors import MissionsError
from ledger.permissions import Permission, require
from ledger.records import Person

#: the cookie of a local session; it holds a token that only the ledger can tell the owner of
COOKIE = "missions_session"


def visitor() -> Person | None:
    """The person who is signed in: by a local session, or by the OIDC provider; None where nobody is."""
    token = st.context.cookies.get(COOKIE)
    if token and (person := company().desk.who(token)):
        return person
    name = oidc_name()
    return company().ledger.person(name) if name else None


def oidc_name() -> str:
    """The verified e-mail address of who signed in at the OIDC provider; empty where nobody did."""
    user = st.user
    if not getattr(user, "is_logged_in", False) or user.get("email_verified") is False:
        return ""
    return str(user.get("email") or "")


def enter(permission: Permission) -> Person:
    """The person at the page, who may; otherwise the page says what it takes, and ends there."""
    try:
        return require(visitor(), permission)
    except MissionsError as error:
        st.error(str(error), icon=":material/lock:")
        st.stop()
