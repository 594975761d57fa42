"""Signing in and out on the page: a link to the sign-in form (`dashboard/serving.py`), or the OIDC provider's button."""

import streamlit as st

from dashboard.company import company
from dashboard.visitor import COOKIE
from ledger.records import Person


def sign_in_page() -> None:
    """What somebody sees who is not signed in: the way in, and nothing else."""
    st.title(company().settings.brand_name)
    st.link_button("Sign in", "/sign-in", icon=":material/login:")


def account_menu(person: Person) -> None:
    """Who one is, and the way out."""
    with st.popover(person.name, icon=":material/account_circle:"):
        st.text(person.role)
        if st.button("Sign out"):
            token = st.context.cookies.get(COOKIE)
            if token:
                company().desk.sign_out(token)
            st.rerun()
