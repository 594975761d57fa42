"""`make shop`: install Medusa, make its company, and run it until Ctrl-C. With the argument `install` it only installs."""

import signal
import sys
import time
from contextlib import ExitStack

from errors import BadInput
from ledger.embedded import embedded_url
from settings import settings
from tests.systems.medusa.company import make_company
from tests.systems.medusa.shop import ADMIN, PORT, Place, database_of, install, make_database, migrate_shop, running

WEBHOOK = "http://127.0.0.1:8501/events/shop"


def main() -> None:
    """Say how long each stage took. Raises BadInput where one fails."""
    begun = time.monotonic()

    def stage(what: str) -> None:
        nonlocal begun
        print(f"{what}: {time.monotonic() - begun:.1f} s", flush=True)
        begun = time.monotonic()

    install()
    stage("Medusa and its packages are installed")
    if sys.argv[1:] == ["install"]:
        return
    folder = settings().home / "shop"
    made, server = folder / "made", embedded_url(settings().postgres)
    place = Place(folder, make_database(server, "shop") if not made.exists() else database_of(server, "shop"))
    if not made.exists():
        migrate_shop(place)
        stage("Its tables are made")
    with ExitStack() as stack:
        shop = stack.enter_context(running(place, PORT, WEBHOOK))
        stage(f"It runs at {shop.url}")
        if not made.exists():
            make_company(shop, stack)
            made.touch()
            stage("Its company is made")
        print(f"Its admin pages are at {shop.url}/app, for {ADMIN} with the password that stands in {folder / 'secret'}.")
        print(f"Its Admin API takes the header that stands in {place.key_file}; its events go to {WEBHOOK}. Ctrl-C stops it.")
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except BadInput as error:
        sys.exit(f"shop: {error}")
    except KeyboardInterrupt:
        pass
