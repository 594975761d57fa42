"""Signing in and out on the page: the way to the sign-in form (`dashboard/sign_in.py`), or the OIDC provider's button."""

import streamlit as st

from dashboard.company import company
from dashboard.oidc import uses_oidc
from dashboard.text import label, words
from dashboard.visitor import COOKIE, go_to_sign_in, oidc_name
from ledger.records import Person


def sign_in_page() -> None:
    """What somebody sees who is not signed in: the way in, and nothing else."""
    if not uses_oidc(company().settings):
        go_to_sign_in()
    with st.container(key="m-sign-in", width=420):
        st.title(label(company().settings.brand_name))
        if name := oidc_name():
            st.text(f"{name} is not known here: ask an administrator to add this address as a person.")
            st.button("Sign in as somebody else", icon=":material/logout:", on_click=st.logout)
        elif st.button("Sign in", icon=":material/login:", type="primary"):
            st.login()


def account_menu(person: Person) -> None:
    """Who one is, and the way out: at the right of the top bar (see style.css)."""
    with st.container(key="m-account"), st.popover(label(person.name, 30), icon=":material/account_circle:", type="tertiary"):
        st.text(f"{person.name}\n{words(person.role)}")
        if not uses_oidc(company().settings):
            _password_form(person)
        if st.button("Sign out", icon=":material/logout:", width="stretch"):
            _sign_out()


def _password_form(person: Person) -> None:
    with st.expander("Change the password"), st.form("password", border=False, clear_on_submit=True):
        present = st.text_input("Present password", type="password", autocomplete="current-password")
        chosen = st.text_input("New password", type="password", autocomplete="new-password", help="At least 12 characters")
        sent = st.form_submit_button("Change it")
    if sent:
        if refused := company().desk.change_password(person.name, present, chosen):
            st.error(label(refused, 300))
        else:
            go_to_sign_in(come_back=False)


def _sign_out() -> None:
    if uses_oidc(company().settings):
        st.logout()
        st.stop()  # the page, drawn on for nobody, would begin anew, and a new beginning drops the way out unless it was sent
    if token := st.context.cookies.get(COOKIE):
        company().desk.sign_out(token)
    go_to_sign_in(come_back=False)
