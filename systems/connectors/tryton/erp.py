"""Tryton in this process: its database, and transactions as a user of it.

Every transaction is Tryton's own, with the access rights of its user: what somebody may not do in Tryton's client is not
done here either.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

DATABASE = os.environ.get("ERP_DATABASE", "tryton")
#: the user of Tryton that sets it up, and the one that the connector works as
ADMINISTRATOR = "admin"
CONNECTOR = "connector"
MODULES = ("account_budget", "account_invoice_stock", "bank", "purchase", "sale")
#: its web client, as `make erp` installs it
WEB_CLIENT = Path(sys.prefix) / "web" / "node_modules" / "tryton-sao"
#: for which a transaction is tried again that another one gets in the way of, and between two tries
_PATIENCE_SECONDS, _PAUSE_SECONDS = 8.0, 0.1

Answer = TypeVar("Answer")


def configure(url: str) -> None:
    """Tell Tryton its PostgreSQL and its web client, once, before it is imported; the path of the address does not count."""
    os.environ["TRYTOND_DATABASE_URI"] = urlsplit(url)._replace(path="").geturl()
    # a folder `www` in somebody's home is served otherwise
    os.environ["TRYTOND_WEB__ROOT"] = str(WEB_CLIENT)
    import trytond.config

    trytond.config.update_etc(None)


def open_pool() -> None:
    """Load the modules of the database."""
    from trytond.pool import Pool

    Pool.start()
    Pool(DATABASE).init()


def run(does: Callable[[], Answer], user: int = 0, *, readonly: bool = True) -> Answer:
    """What a function answers that runs in one transaction as a user; 0 is Tryton itself, which may do everything.

    Where another transaction gets in its way it is done again, from its beginning. What Tryton does in the background of a
    write is done before this returns. Raises what the function raises, and what it wrote is taken back.
    """
    from trytond import backend
    from trytond.transaction import Transaction, TransactionError
    from trytond.worker import run_task

    context, extras = _context(user), dict[str, object]()
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with Transaction().start(DATABASE, user, context=context, readonly=readonly, **extras) as transaction:
                try:
                    answer = does()
                    transaction.commit()
                except BaseException:
                    transaction.rollback()
                    raise
                tasks = list(transaction.tasks)
                transaction.tasks.clear()
        except TransactionError as error:  # it wants a lock, which is taken at the beginning
            error.fix(extras)
        except backend.DatabaseOperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            for task in tasks:
                run_task(DATABASE, task)
            return answer


_CONTEXTS: dict[int, dict[str, object]] = {}


def user_id(login: str) -> int:
    """The number of a user. Raises ValueError where Tryton has no such user."""
    from trytond.pool import Pool

    def find() -> int:
        (user,) = Pool().get("res.user").search([("login", "=", login)])
        return int(user.id)

    return run(find)


def _context(user: int) -> dict[str, object]:
    """The company that the user works in, and that his rights are looked at."""
    from trytond.pool import Pool
    from trytond.transaction import Transaction

    if user and user not in _CONTEXTS:
        with Transaction().start(DATABASE, user, readonly=True):
            _CONTEXTS[user] = dict(Pool().get("res.user").get_preferences(context_only=True))
    return {**_CONTEXTS.get(user, {}), "_check_access": bool(user)}


def make_database(password: str) -> None:
    """Make Tryton's tables in its empty database, with the modules of the company and an administrator with this password."""
    from trytond import __series__, backend
    from trytond.pool import Pool

    database = backend.Database(DATABASE)
    connection = database.get_connection()
    database.init()
    connection.commit()
    database.put_connection(connection)
    Pool.start()
    Pool(DATABASE).init(update=["ir", "res", *MODULES], activatedeps=True, lang=["en"])

    def set_up() -> None:
        configuration = Pool().get("ir.configuration")(1)
        configuration.series, configuration.language = __series__, "en"
        configuration.save()
        Pool().get("ir.module").update_list()
        (administrator,) = Pool().get("res.user").search([("login", "=", ADMINISTRATOR)])
        administrator.password = password
        administrator.save()

    run(set_up, readonly=False)
