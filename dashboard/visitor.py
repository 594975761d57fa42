"""Who is at the page, as the ledger has them now, and what they may: by a local session, or by an OpenID Connect provider."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import urlsplit

import streamlit as st

from dashboard.company import company
from dashboard.markup import label
from errors import BadInput, MissionsError
from ledger.permissions import Permission, require
from ledger.records import Person
from rendering import words
from settings import Settings

CALLBACK = "/oauth2callback"
LEAST_SECRET_CHARACTERS = 32
#: the cookie of a local session; it holds a token that only the ledger can tell the owner of
COOKIE = "missions_session"
SIGN_IN = "/sign-in"


def uses_oidc(chosen: Settings) -> bool:
    """Whether people sign in at a provider."""
    return bool(chosen.oidc_metadata_url)


def auth_secrets(chosen: Settings) -> dict[str, Any]:
    """The `auth` section of Streamlit's secrets. Raises BadInput that names the variable that is missing or wrong."""
    given = {
        "MISSIONS_OIDC_CLIENT_ID": chosen.oidc_client_id,
        "MISSIONS_OIDC_CLIENT_SECRET": chosen.oidc_client_secret.get_secret_value(),
        "MISSIONS_COOKIE_SECRET": chosen.cookie_secret.get_secret_value(),
    }
    for name, value in given.items():
        if not value:
            raise BadInput(f"MISSIONS_OIDC_METADATA_URL is set and {name} is not: set it, or unset both to use local accounts")
    if len(given["MISSIONS_COOKIE_SECRET"]) < LEAST_SECRET_CHARACTERS:
        raise BadInput(f"MISSIONS_COOKIE_SECRET: use at least {LEAST_SECRET_CHARACTERS} random characters")
    return {
        "redirect_uri": redirect_uri(chosen),
        "cookie_secret": given["MISSIONS_COOKIE_SECRET"],
        "client_id": given["MISSIONS_OIDC_CLIENT_ID"],
        "client_secret": given["MISSIONS_OIDC_CLIENT_SECRET"],
        "server_metadata_url": chosen.oidc_metadata_url,
    }


def redirect_uri(chosen: Settings) -> str:
    """Where the provider sends people back to: a URL. Raises BadInput where the one of the settings is none of the dashboard."""
    uri = chosen.oidc_redirect_uri or f"http://{chosen.address}:{chosen.port}{CALLBACK}"
    where = urlsplit(uri)
    if where.scheme not in ("http", "https") or not where.netloc or where.path != CALLBACK or where.hostname in ("0.0.0.0", "::"):
        raise BadInput(f"MISSIONS_OIDC_REDIRECT_URI: {uri!r} is no address of the dashboard; write https://HOST{CALLBACK}")
    return uri


def verified_name(claims: Mapping[str, Any], lasts: timedelta, now: datetime) -> str:
    """The e-mail address that the provider vouches for, for so long after it was issued; otherwise empty.

    An address that is not said to be verified is anybody's: some providers let people write what they like.
    """
    verified, issued, email = claims.get("email_verified"), claims.get("iat"), claims.get("email")
    if verified not in (True, "true") or not isinstance(issued, int | float) or not isinstance(email, str) or "@" not in email:
        return ""
    return email if now < datetime.fromtimestamp(issued, UTC) + lasts else ""


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
    """Leave for the sign-in page, and come back to this address from there; at an OIDC provider, the page draws itself again."""
    if uses_oidc(company().settings):
        st.rerun(scope="app")
    back = "?next=' + encodeURIComponent(location.pathname + location.search)" if come_back else "'"
    st.html(f"<script>window.location.replace('{SIGN_IN}{back});</script>", unsafe_allow_javascript=True)
    st.link_button("Sign in", SIGN_IN, icon=":material/login:")
    st.stop()


def sign_in_page() -> None:
    """What somebody sees who is not signed in: the way in, and nothing else."""
    if not uses_oidc(company().settings):
        go_to_sign_in()
    with st.container(key="m-sign-in", width=420):
        st.title(label(company().settings.brand_name))
        if name := oidc_name():
            st.text(f"{name} is not known here: ask an administrator to add this address as a person.")
            st.button("Sign in as someone else", icon=":material/logout:", on_click=st.logout)
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
        present = st.text_input("Current password", type="password", autocomplete="current-password")
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
        st.stop()  # the page, drawn on for nobody, would start over, and a new beginning drops the way out unless it was sent
    if token := st.context.cookies.get(COOKIE):
        company().desk.sign_out(token)
    go_to_sign_in(come_back=False)
