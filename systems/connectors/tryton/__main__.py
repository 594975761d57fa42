"""`python -m systems.connectors.tryton company|serve`, in the environment that `make erp` makes; DATABASE_URL names a PostgreSQL.

company                   make the company, unless it is there
serve                     its MCP server over stdio, until stdin ends
serve PORT CLIENTS_PORT   on http://127.0.0.1:PORT/mcp, and Tryton for its own clients on the other port, until Ctrl-C
"""

import os
import secrets
import sys
import threading
import time

from . import erp

HOST = "127.0.0.1"


def main() -> None:
    """Do what the words of the command line say; ends with a sentence and status 2 where they or the environment are wrong."""
    words, url = sys.argv[1:], os.environ.get("DATABASE_URL")
    if not url:
        sys.exit("DATABASE_URL is not set; name a PostgreSQL in it, in which the ERP has a database of its own.")
    if words == ["company"]:
        make_company(url)
    elif words[:1] == ["serve"] and len(words) in (1, 3) and all(port.isdecimal() for port in words[1:]):
        erp.configure(url)
        erp.open_pool()
        serve(*map(int, words[1:]))
    else:
        sys.exit(str(__doc__))


def make_company(url: str) -> None:
    """Make the database with its company, and say how long each part took; nothing where it is there.

    What an interrupted call left is made again: the last that is made is the table of the connector.
    """
    import psycopg
    from psycopg import sql

    name = sql.Identifier(erp.DATABASE)
    with psycopg.connect(url, autocommit=True) as server:
        if server.execute("select 1 from pg_database where datname = %s", (erp.DATABASE,)).fetchone():
            with psycopg.connect(url, dbname=erp.DATABASE) as made:
                if made.execute("select to_regclass('connector_effect')").fetchone() != (None,):
                    print(f"The company of the ERP is there already, in the database {erp.DATABASE}.")
                    return
            server.execute(sql.SQL("drop database {} with (force)").format(name))
        server.execute(sql.SQL("create database {}").format(name))
        # what is lost with the power is made again
        server.execute(sql.SQL("alter database {} set synchronous_commit = off").format(name))
    erp.configure(url)
    begun = time.monotonic()
    password = os.environ.get("ERP_PASSWORD") or secrets.token_urlsafe(12)
    erp.make_database(password)
    print(f"Tryton and its modules: {time.monotonic() - begun:.0f} s", flush=True)
    begun = time.monotonic()
    from . import actions, company

    company.fill()
    erp.run(actions.make_table, readonly=False)
    print(f"The company: {time.monotonic() - begun:.0f} s")
    who = f"{erp.ADMINISTRATOR}, password {password}"
    print(f"Tryton's own clients sign in to the database {erp.DATABASE} as {who}, which is shown now and never again.")


def serve(port: int | None = None, clients_port: int | None = None) -> None:
    """Serve the tools over stdio, or on a port, with Tryton's own protocol beside it."""
    from . import server

    tools = server.build()
    if port is None or clients_port is None:
        tools.run("stdio")
        return
    from trytond.wsgi import app
    from werkzeug.serving import make_server

    clients = make_server(HOST, clients_port, app, threaded=True)
    threading.Thread(target=clients.serve_forever, daemon=True).start()
    print(
        f"The ERP answers on http://{HOST}:{port}/mcp, and Tryton's own clients on {HOST}:{clients_port}. Ctrl-C stops it.",
        flush=True,
    )
    tools.run("streamable-http", host=HOST, port=port, json_response=True)


if __name__ == "__main__":
    main()
