"""Reads and writes a second of the shop that `make shop` runs, through its Admin API. `python -m tests.systems.medusa.measure`

What is written is a word in the metadata of one order, which no Mission looks at.
"""

import os

import psutil

from settings import settings
from systems.calls import Call
from systems.client import LiveSystems
from systems.config import load_config
from tests.bench.systems import a_second
from tests.systems.medusa.shop import CONNECTOR, PORT, Place, Shop

READS, WRITES, SIDE_BY_SIDE = 30, 15, 8


def main() -> None:
    """Measure, and print."""
    shop = Shop(f"http://127.0.0.1:{PORT}", Place(settings().home / "shop", "").key_file.read_text())
    os.environ["SHOP_AUTHORIZATION"] = shop.authorization
    with shop.client() as admin:
        order_id = admin.get("/orders", params={"fields": "id", "limit": 1}).json()["orders"][0]["id"]
    read, write = (
        Call("shop.get_order", {"order_id": order_id}),
        Call("shop.update_order", {"id": order_id, "metadata": {"measured": "yes"}}),
    )
    with LiveSystems(load_config(CONNECTOR / "systems.yaml")) as systems:
        reader = systems.reader()
        (first,) = reader.read_all([read])
        if first.status != "ok":
            raise SystemExit(f"The order could not be read: {first.error}")
        print(f"load of {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} processors, which the shop shares")
        print("an order, one after the other:", a_second(READS, lambda: reader.read_all([read])))
        together = [read] * SIDE_BY_SIDE
        print(f"an order, {SIDE_BY_SIDE} at once:", a_second(READS // 5, lambda: reader.read_all(together), SIDE_BY_SIDE))
        print("an order is written:", a_second(WRITES, lambda: systems.write(write, "")))


if __name__ == "__main__":
    main()
