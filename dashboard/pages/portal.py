"""To come."""

import streamlit as st

from dashboard.visitor import enter


def draw() -> None:
    """The page."""
    enter("read")
    st.title("portal")
