"""The script that Streamlit runs: who is there, the pages they may see, and the one they look at."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import streamlit as st

from dashboard.company import company
from dashboard.markup import use_style
from dashboard.visitor import account_menu, enter, sign_in_page, visitor
from ledger.permissions import Permission, may
from ledger.records import Person

ICON = Path(__file__).parent / "static" / "icon.png"
#: module in dashboard/pages, which is its address too; title, icon, what it takes
PAGES: tuple[tuple[str, str, str, Permission], ...] = (
    ("queue", "Decision Queue", "inbox", "read"),
    ("runs", "Runs", "timeline", "read"),
    ("knowledge", "Knowledge", "menu_book", "read"),
    ("evaluations", "Evaluations", "science", "read"),
    ("learning", "Lessons", "school", "read"),
    ("incidents", "Incidents & audit", "shield", "read"),
    ("people", "People", "group", "confirm_people"),
    ("portal", "Your messages", "support_agent", "write_in"),
    ("run", "Run", "route", "read"),
)
#: pages without an entry: links lead to them
UNLISTED = ("run",)


def main() -> None:
    """Draw the page."""
    brand = company().settings
    st.set_page_config(page_title=brand.brand_name, page_icon=str(ICON), layout="wide")
    use_style()
    if brand.brand_logo:
        st.logo(brand.brand_logo, size="large")
    person = visitor()
    if person is None:
        sign_in_page()
        return
    pages = pages_of(person)
    st.session_state["pages"] = {name: page for (name, *_), page in zip(allowed_pages(person), pages, strict=True)}
    chosen = st.navigation(pages, position="top")
    account_menu(person)
    chosen.run()


def allowed_pages(person: Person) -> list[tuple[str, str, str, Permission]]:
    """The rows of PAGES that a person may see."""
    return [page for page in PAGES if may(person, page[3])]


def pages_of(person: Person) -> list[st.Page]:
    """The pages of a person."""
    return [
        st.Page(
            _drawing(name, permission), title=title, icon=f":material/{icon}:", url_path=name, default=number == 0,
            visibility="hidden" if name in UNLISTED else "visible",
        )
        for number, (name, title, icon, permission) in enumerate(allowed_pages(person))
    ]  # fmt: skip


def _drawing(name: str, permission: Permission) -> Callable[[], None]:
    """Draws a page for whoever may see it. It is imported then: nobody waits for the libraries of a page that nobody looks at."""

    def draw() -> None:
        enter(permission)
        import_module(f"dashboard.pages.{name}").draw()

    draw.__name__ = name
    return draw


if __name__ == "__main__":  # and not where a process of the evaluation looks at what this one runs
    main()
