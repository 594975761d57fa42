"""The people: who there is, with which role, how they sign in, and what waits for a second person.

For administrators, who never change their own role; supervisor and finance see only what they may confirm.
"""

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard.company import company
from dashboard.markup import choose_row, redrawn, refusals, show
from dashboard.visitor import enter, uses_oidc
from ledger.admissions import Admission, AdmissionRequest
from ledger.permissions import allowed, may
from ledger.records import PERSON_ROLES, Person
from ledger.sql.auth import ONE_TIME_DAYS, Account
from rendering import clock, markup, plain, span, words

#: what each permission lets a person do, in the order in which it is listed
ON_A_PAGE = 25
#: of the columns in pixels: all of them beside the person, on a screen of 1024
WIDTHS = {"Name": 125, "Role": 98, "Customer": 75, "Signs in with": 135, "Signed in": 85}


def row(account: Account, now: datetime) -> dict[str, Any]:
    """A row of the table."""
    signed_in = f"{span(now - account.signed_in_at)} ago" if account.signed_in_at else ""
    return {
        "Name": plain(account.person.name, 80),
        "Role": words(account.person.role),
        "Customer": plain(account.person.customer_id or "", 40),
        "Signs in with": state(account),
        "Signed in": signed_in,
    }


def state(account: Account) -> str:
    """How somebody signs in, and what stands in their way."""
    password = {
        "none": "nothing yet", "one-time": "one-time, unused", "lapsed": "one-time, lapsed", "own": "own password",
    }[account.state]  # fmt: skip
    return f"{password} and codes" if account.second_factor else password


def change(admission: Admission) -> str:
    """What somebody asked for, in a sentence."""
    of = f" of {admission.customer_id}" if admission.customer_id else ""
    becomes = {"role": f"be {words(admission.role)}{of}", "password": "have a new one-time password"}
    return f"{plain(admission.name, 80)} is to {becomes.get(admission.kind, 'have no second factor any more')}"


def draw() -> None:
    """The page."""
    me = enter("confirm_people")
    _waiting(me)
    if not may(me, "manage_people"):
        _shown_once()
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        chosen = _list(me)
    with right:
        _shown_once()
        if chosen is not None:
            _person(me, chosen)
        else:
            _new(me)


def _waiting(me: Person) -> None:
    """What somebody asked for, and this person may confirm or give up."""
    found = company().desk.admissions()
    if not found and not may(me, "manage_people"):
        st.text("Nothing waits for a second person.")
    for one in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"m-{one.admission_id}"):
            st.text(f"{change(one)}. {plain(one.asked_by, 80)} asks; a second person confirms until {clock(one.lapses_at)}.")
            # whose button it is, is looked at in the ledger
            if st.button("Confirm", icon=":material/check:", key=f"confirm-{one.admission_id}"):
                with redrawn():
                    half = company().desk.confirm(one.admission_id, me.name).one_time
                    _keep_once(f"Second half of the one-time password of {one.name}", half)
            if st.button("Refuse", icon=":material/close:", key=f"refuse-{one.admission_id}"):
                with redrawn():
                    company().desk.refuse(one.admission_id, me.name)


def _list(me: Person) -> Account | None:
    """The table; the account that is chosen in it, or named in the address."""
    with st.container(horizontal=True, vertical_alignment="center"):
        show(markup('<div class="m-title">People</div>'))
        text = st.text_input("Search", placeholder="Name", label_visibility="collapsed", icon=":material/search:", max_chars=100)
        if st.button("Add a person", icon=":material/person_add:"):
            _open("")
    page = int(st.session_state.get("people-page", 1))
    found, total = company().desk.accounts(me.name, text, (page - 1) * ON_A_PAGE, ON_A_PAGE)
    if not found and page > 1:
        found, total = company().desk.accounts(me.name, text, 0, ON_A_PAGE)
    if not found:
        st.text("No one has a name like this.")
    else:
        _table(found)
    if total > ON_A_PAGE:
        st.pagination(-(-total // ON_A_PAGE), key="people-page")
    name = st.query_params.get("name", "")
    return next((one for one in found if one.person.name == name), None) or (_named(me, name) if name else None)


def _table(found: list[Account]) -> None:
    now = datetime.now(UTC)
    names = [one.person.name for one in found]
    # the key holds what is listed: a choice of a row means nothing in another list
    key = f"people-{hash(tuple(names))}-{st.session_state.get('people-turn', 0)}"
    chosen = choose_row((row(one, now) for one in found), key, WIDTHS)
    if chosen is not None and st.session_state.get("people-chosen") != (key, chosen):
        st.session_state["people-chosen"] = (key, chosen)
        st.query_params["name"] = names[chosen]


def _named(me: Person, name: str) -> Account | None:
    found, _ = company().desk.accounts(me.name, name, 0, 200)
    return next((one for one in found if one.person.name == name), None)


def _person(me: Person, account: Account) -> None:
    """One person, and what may be done about them."""
    person = account.person
    of = f" of {person.customer_id}" if person.customer_id else ""
    how = "" if uses_oidc(company().settings) else f" · signs in with: {state(account)}"
    about = '<div class="m-title">{}</div><div class="m-dim m-small">{}{}{}</div>'
    show(markup(about, plain(person.name, 80), words(person.role), plain(of, 60), how))
    if person == me:
        st.text("This is you. Another administrator changes your role.")
    else:
        _role(me, person)
    if uses_oidc(company().settings):
        return
    with st.container(horizontal=True):
        if st.button("New one-time password", icon=":material/key:", help="The old password and every session end."):
            _ask(AdmissionRequest(kind="password", name=person.name), me)
        if account.second_factor and st.button("Forget the second factor", icon=":material/phonelink_erase:"):
            _ask(AdmissionRequest(kind="second_factor", name=person.name), me)
        sessions = f"End {account.sessions} session{'s' * (account.sessions > 1)}"
        if account.sessions and st.button(sessions, icon=":material/logout:"):
            with redrawn():
                company().desk.end_sessions(person.name, me.name)


def _role(me: Person, person: Person) -> None:
    role, customer = _role_fields(person.role, person.customer_id or "", person.name)
    unchanged = (role, customer) == (person.role, person.customer_id)
    if st.button("Change the role", type="primary", disabled=unchanged):
        _ask(_role_request(person.name, role, customer), me)


def _role_fields(role: str, customer: str, key: str) -> tuple[str, str | None]:
    """A role and, of a customer, whose records they see; with what the role allows."""
    role = st.selectbox("Role", PERSON_ROLES, index=PERSON_ROLES.index(role), format_func=words, key=f"role-{key}")
    if role == "customer":
        customer = st.text_input("Customer id", customer, max_chars=100, key=f"customer-{key}").strip()
    st.caption(allowed(role))
    return role, (customer or None) if role == "customer" else None


def _role_request(name: str, role: str, customer: str | None) -> AdmissionRequest:
    return AdmissionRequest(kind="role", name=name, role=role, customer_id=customer, account=not uses_oidc(company().settings))


def _ask(wanted: AdmissionRequest, me: Person, adds: bool = False) -> None:
    """Make the change, or have it wait for a second person; a password that is shown once is kept for the next drawing."""
    with redrawn():
        changed = company().desk.ask(wanted, me.name)
        half = "First half of the one-time" if changed.waits else "One-time"
        _keep_once(f"{half} password of {wanted.name.strip()}", changed.one_time)
        if adds:
            _open("" if changed.waits or changed.person is None else changed.person.name)


def _new(me: Person) -> None:
    """The form for a new person."""
    show(markup('<div class="m-title">Add a person</div>'))
    provider = uses_oidc(company().settings)
    turn = st.session_state.get("people-turn", 0)
    name = st.text_input("E-mail address, as the provider verifies it" if provider else "Name", max_chars=100, key=f"new-{turn}")
    role, customer = _role_fields("reviewer", "", f"new-{turn}")
    if st.button("Add", type="primary", icon=":material/person_add:"):
        with refusals():
            if company().ledger.person(name) is not None:
                _open(name.strip())
            _ask(_role_request(name, role, customer), me, adds=True)


def _open(name: str) -> None:
    """Show this person, or the form for a new one."""
    st.session_state["people-turn"] = st.session_state.get("people-turn", 0) + 1
    if name:
        st.query_params["name"] = name
    else:
        st.query_params.pop("name", None)
    st.rerun()


def _keep_once(what: str, one_time: str) -> None:
    if one_time:
        st.session_state["people-once"] = (what, one_time)


def _shown_once() -> None:
    """A one-time password, until the next click: it is kept nowhere."""
    what, one_time = st.session_state.pop("people-once", ("", ""))
    if one_time:
        with st.container(border=True):
            st.text(f"{what}. It is shown now and never again; it is good for {ONE_TIME_DAYS} days.")
            show(markup('<div class="m-secret">{}</div>', one_time))
