"""The script that Streamlit runs: who is there, the pages they may see, and the one they look at."""

from collections.abc import Callable

import streamlit as st

from dashboard.company import company
from dashboard.html import use_style
from dashboard.pages import evaluations, incidents, knowledge, people, portal, queue, run, runs
from dashboard.signing import account_menu, sign_in_page
from dashboard.visitor import visitor
from ledger.permissions import Permission, may
from ledger.records import Person

Draw = Callable[[], None]

#: page, title, icon, address, what it takes
PAGES: tuple[tuple[Draw, str, str, str, Permission], ...] = (
    (queue.draw, "Decision Queue", "inbox", "queue", "read"),
    (runs.draw, "Runs", "timeline", "runs", "read"),
    (knowledge.draw, "Knowledge", "menu_book", "knowledge", "read"),
    (evaluations.draw, "Evaluations", "science", "evaluations", "read"),
    (incidents.draw, "Incidents & audit", "shield", "incidents", "read"),
    (people.draw, "People", "group", "people", "manage_people"),
    (portal.draw, "Your messages", "support_agent", "portal", "write_in"),
)


def main() -> None:
    """Draw the page."""
    brand = company().settings
    st.set_page_config(page_title=brand.brand_name, page_icon=":material/checklist:", layout="wide")
    use_style()
    if brand.brand_logo:
        st.logo(brand.brand_logo, size="large")
    person = visitor()
    if person is None:
        sign_in_page()
        return
    chosen = st.navigation(pages_of(person), position="top")
    account_menu(person)
    chosen.run()


def pages_of(person: Person) -> list[st.Page]:
    """The pages of a person. One run is a page without an entry: links lead to it."""
    allowed = [page for page in PAGES if may(person, page[4])]
    pages = [
        st.Page(draw, title=title, icon=f":material/{icon}:", url_path=address, default=number == 0)
        for number, (draw, title, icon, address, _) in enumerate(allowed)
    ]
    if may(person, "read"):
        pages.append(st.Page(run.draw, title="Run", icon=":material/route:", url_path="run", visibility="hidden"))
    return pages


main()
