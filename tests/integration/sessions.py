"""Somebody who is signed in at the command line: a home of their own, with a session in it and the index of `built_home`."""

from datetime import timedelta
from pathlib import Path

from cli.session import keep
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from settings import Settings
from tests.integration.live_company import built_home

PASSWORD = "correct horse battery"


def home_of(name: str, url: str, folder: Path) -> Path:
    """The home of a person of the ledger, who is given a password. Two people of one test have two homes."""
    home = folder / f"home-{name}"
    home.mkdir()
    for kept in ("knowledge", "language"):
        (home / kept).symlink_to(built_home() / kept)
    migrate(url)
    ledger = PostgresLedger.open(url)
    try:
        desk = AdminService(ledger)
        knock = desk.sign_in(name, desk.give_one_time(name), timedelta(hours=1), PASSWORD)
        assert knock.token, knock
        keep(knock.token, Settings(home=home, DATABASE_URL=url))
    finally:
        ledger.close()
    return home
