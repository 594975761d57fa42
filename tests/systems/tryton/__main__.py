"""`make erp`: make the company of the ERP, and run it until Ctrl-C."""

import sys
import time

from errors import BadInput
from ledger.embedded import embedded_url
from settings import settings
from tests.systems.tryton.erp import company_folder, make_company, running

DATABASE = "tryton"
PORTS = (8702, 8701)


def main() -> None:
    """Say how long each stage took. Raises BadInput where one fails."""
    server = embedded_url(settings().postgres)
    print(make_company(server, DATABASE), end="", flush=True)
    begun = time.monotonic()
    folder = settings().home / "erp"
    with running(server, DATABASE, PORTS, log=settings().home / "erp.log") as erp:
        chosen = company_folder(folder, erp.url)
        where = f"{erp.url}, and Tryton's own clients at 127.0.0.1:{PORTS[1]}"
        print(
            f"It answers at {where} ({time.monotonic() - begun:.1f} s). Ctrl-C stops it. Missions over it, in another terminal:"
        )
        for name, path in {"home": folder / "missions", **chosen}.items():
            print(f"  export MISSIONS_{name.upper()}={path}")
        sys.stdout.flush()
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    try:
        main()
    except BadInput as error:
        sys.exit(f"erp: {error}")
    except KeyboardInterrupt:
        pass
