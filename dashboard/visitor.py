"""Who is at the page, as the ledger has them now, and what they may."""

from datetime import UTC, datetime, timedelta
from typing import NoReturn

import streamlit as st

from dashboard.company import company
from dashboard.oidc import uses_oidc, verified_name
from dashboard.text import label
from errors import MissionsError
from ledger.permissions import Permission, require
from ledger.records import Person

#: the cookie of a local session; it holds a token that only the ledger can tell the owner of
COOKIE = "missions_session"
SIGN_IN = "/sign-in"


def visitor() -> Person | None:
    """The person who is signed in, by a local session or at the OIDC provider; None where nobody is."""
    opened = company()
    if not uses_oidc(opened.settings):
        token = st.context.cookies.get(COOKIE)
        return opened.desk.who(token, opened.settings.second_factor_roles) if token else None
    name = oidc_name()
    person = opened.ledger.person(name) if name else None
    # names that only look alike are one person to the ledger, and two mailboxes
    return person if person and person.name.casefold() == name.casefold() else None


def oidc_name() -> str:
    """The verified e-mail address of who signed in at the OIDC provider; empty where nobody did, or too long ago."""
    claims = st.user.to_dict()
    if claims.get("is_logged_in") is not True:
        return ""
    return verified_name(claims, timedelta(hours=company().settings.session_hours), datetime.now(UTC))


def enter(permission: Permission) -> Person:
    """The person at the page, who may; otherwise the page says what it takes, and ends there.

    Whose session has ended is led to the sign-in page, from a fragment as well.
    """
    person = visitor()
    if person is None:
        go_to_sign_in()
    try:
        return require(person, permission)
    except MissionsError as error:
        st.error(label(error, 800), icon=":material/lock:")
        st.stop()


def go_to_sign_in(come_back: bool = True) -> NoReturn:
    """Leave for the sign-in page, and come back to this address from there; at an OIDC provider, the page draws itself anew."""
    if uses_oidc(company().settings):
        st.rerun(scope="app")
    back = "?next=' + encodeURIComponent(location.pathname + location.search)" if come_back else "'"
    st.html(f"<script>window.location.replace('{SIGN_IN}{back});</script>", unsafe_allow_javascript=True)
    st.link_button("Sign in", SIGN_IN, icon=":material/login:")
    st.stop()
