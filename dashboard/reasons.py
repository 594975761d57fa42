"""The reason of a decision as somebody writes it, kept for each proposal until a decision about it is recorded."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

QUICK = ("The evidence holds", "As the policy says", "Agreed with the customer", "Not what is needed")
_KEPT = "reasons"


def reason_fields(proposal_id: str) -> None:
    """A field for the reason, and some that are offered; what was written before another proposal was open is there again."""
    typed, quick = _keys(proposal_id)
    for key, value in st.session_state.get(_KEPT, {}).get(proposal_id, {}).items():
        st.session_state.setdefault(key, value)
    looks: Mapping[str, Any] = {"label_visibility": "collapsed", "on_change": _keep, "args": (proposal_id,)}
    with st.container(key="reason"):
        st.text_input("Reason", key=typed, max_chars=500, placeholder="Why? It is kept in the audit log.", **looks)
    st.pills("Or", QUICK, key=quick, **looks)


def reason(proposal_id: str) -> str:
    """What is typed, or else what is chosen; empty where neither is."""
    typed, quick = _keys(proposal_id)
    return (st.session_state.get(typed) or "").strip() or st.session_state.get(quick) or ""


def forget(proposal_id: str) -> None:
    """The decision is recorded, and the fields are empty. For callbacks: a field that is drawn already cannot be changed."""
    st.session_state.get(_KEPT, {}).pop(proposal_id, None)
    typed, quick = _keys(proposal_id)
    st.session_state[typed], st.session_state[quick] = "", None


def _keep(proposal_id: str) -> None:
    """Streamlit forgets fields that are not drawn."""
    written = {key: st.session_state.get(key) for key in _keys(proposal_id)}
    st.session_state.setdefault(_KEPT, {})[proposal_id] = written


def _keys(proposal_id: str) -> tuple[str, str]:
    return f"why-{proposal_id}", f"quick-{proposal_id}"
