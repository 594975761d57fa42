"""Pages as Streamlit's AppTest draws them, over a company of their own, for whoever is signed in.

A module names it in `pytest_plugins`; each worker then has one company, and every page test shares it.
"""

import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import insert
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from dashboard import company as kept
from dashboard.company import Company, Tools
from dashboard.visitor import COOKIE
from graphs.runtime import open_database
from ledger.authorization import person_key
from ledger.records import Run
from ledger.roles import grant_roles
from ledger.tables import ACCOUNTS, SESSIONS
from settings import CHECKOUT
from systems.sandbox.database import create_schema, reset
from systems.sandbox.loader import load_cases
from tests.conftest import _database
from tests.integration.live_company import forget_what_waits, settings_for
from tests.ledger_examples import enrolled

#: seconds after which a page that is waited for has not come
PATIENCE = 20.0


class Front:
    """A company whose pages are drawn, and what the tests ask of it."""

    def __init__(self, company: Company) -> None:
        self.company, self.ledger, self.desk = company, company.ledger, company.desk
        self._tokens: dict[str, str] = {}
        self.visitor = ""

    def enrol(self, name: str, role: str, customer_id: str | None = None) -> None:
        """Add a person with a session, which is written down here: a password takes half a second, by design."""
        enrolled(self.desk, name, role, customer_id)
        token, now = secrets.token_urlsafe(), datetime.now(UTC)
        digest = hashlib.sha256(token.encode()).hexdigest()
        row = {"digest": digest, "key": person_key(name), "started_at": now, "expires_at": now + timedelta(hours=1)}
        with self.ledger.transaction() as tx:
            tx.execute(insert(ACCOUNTS).values(key=row["key"], password_hash="nobody's").on_conflict_do_nothing())
            tx.execute(insert(SESSIONS).values(**row))
        told = {"name": name, "session": digest, "until": row["expires_at"].isoformat()}
        with psycopg.connect(self.company.url) as session:
            session.execute("SELECT ledger.append(now(), 'signed_in', '', %s)", (Jsonb(told),))
        self._tokens[name] = token

    def sign_out(self, name: str) -> None:
        """End the session of a person, whose pages stay open."""
        self.desk.sign_out(self._tokens[name])

    @property
    def cookies(self) -> Mapping[str, str]:
        """Of the browser of `visitor`."""
        return {COOKIE: self._tokens[self.visitor]} if self.visitor in self._tokens else {}

    def empty(self) -> None:
        """Empty the sandbox company. What waits from another test is about another world."""
        reset(self.company.url)
        self._forget_what_waits()

    def _forget_what_waits(self) -> None:
        forget_what_waits(self.company.url)

    def load(self, case: Mapping[str, Any]) -> None:
        """Put the records of a case into the sandbox company; nothing that waits is about them."""
        self._forget_what_waits()
        assert load_cases(self.company.url, [case]).refused == {}

    def app(self, name: str, **query: str) -> AppTest:
        """The whole dashboard, as this person sees it at first."""
        self.visitor = name
        return _asked(AppTest.from_file(str(CHECKOUT / "dashboard" / "app.py"), default_timeout=30), query).run()

    def page(self, name: str, page: str, **query: str) -> AppTest:
        """One page, as this person sees it by its address."""
        self.visitor = name
        script = f"from dashboard.pages import {page}\n{page}.draw()\n"
        return _asked(AppTest.from_string(script, default_timeout=30), query).run()

    def settled(self, run_id: str) -> Run:
        """The run, when nothing more happens to it by itself."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            run = self.ledger.run(run_id)
            if run.status != "running" and not self.company.is_driving(run_id):
                return run
            time.sleep(0.02)
        raise AssertionError(f"run {run_id} is not settled after {PATIENCE:.0f} s")


def _asked(page: AppTest, query: Mapping[str, str]) -> AppTest:
    for key, value in query.items():
        page.query_params[key] = value
    return page


def seen(page: AppTest) -> str:
    """Everything that the page sends to the browser."""
    return "\n".join(str(element.proto) for element in page.main if not getattr(element, "children", None))


def html(page: AppTest) -> str:
    """The HTML of the page."""
    return "\n".join(element.proto.body for element in page.get("html"))


@pytest.fixture(scope="session")
def _front(server_url: str) -> Iterator[Front]:
    with _database(server_url) as url:
        create_schema(url)
        open_database(settings_for(url))
        grant_roles(url)
        company = Company(settings_for(url), Tools())
        try:
            yield Front(company)
        finally:
            company.close()


@pytest.fixture
def front(_front: Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """The company of this worker, which the pages find."""
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: _front.cookies))
    kept.use(_front.company)
    yield _front
    kept.use(None)
