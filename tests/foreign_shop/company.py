"""The company that has this shop: its folder, its data, and how Missions are opened on it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knowledge_index.embeddings import MiniLM
from knowledge_index.index import build
from knowledge_index.policies import PolicyBook
from systems.client import LiveSystems
from systems.config import load_config
from systems.pins import pin, write_pins

_HERE = Path(__file__).parent

USERS: dict[str, Any] = {
    "sara_doe_496": {
        "user_id": "sara_doe_496",
        "email": "sara@example.com",
        "orders": ["#W100", "#W200"],
        "payment_methods": {
            "gift_card_7": {"source": "gift_card", "balance": 20.5},
            "credit_card_9": {"source": "credit_card", "last_four": "1234"},
        },
    }
}
ORDERS: dict[str, Any] = {
    "#W100": {
        "order_id": "#W100", "user_id": "sara_doe_496", "status": "pending",
        "items": [{"item_id": "2001", "name": "Lamp", "price": 52.1}],
        "payment_history": [{"type": "payment", "amount": 52.1, "payment_method_id": "credit_card_9"}],
    },
    "#W200": {
        "order_id": "#W200", "user_id": "sara_doe_496", "status": "delivered",
        "items": [{"item_id": "2002", "name": "Mug", "price": 12.35}, {"item_id": "2003", "name": "Chair", "price": 120.0}],
        "payment_history": [{"type": "payment", "amount": 132.35, "payment_method_id": "gift_card_7"}],
    },
    "#W300": {
        "order_id": "#W300", "user_id": "someone_else_1", "status": "pending", "items": [], "payment_history": [],
    },
}  # fmt: skip


class ForeignCompany:
    """What stands in a folder: systems, pins, actions, packs, policies, the index of these, and the shop's data."""

    def __init__(self, folder: Path) -> None:
        """Made anew in an empty folder; the server learns of its data by the environment variable SHOP_FILE."""
        self.home, self.data, self.systems = folder / "home", folder / "shop.json", folder / "systems.yaml"
        self.packs, self.policies = _HERE / "packs", _HERE / "policies"
        self.put()
        os.environ["SHOP_FILE"] = str(self.data)
        self.systems.write_text((_HERE / "systems.yaml").read_text().replace("{server}", str(_HERE / "server.py")))
        (folder / "actions.yaml").write_text((_HERE / "actions.yaml").read_text())
        with LiveSystems(load_config(self.systems)) as systems:
            write_pins(folder / "pins.json", pin(systems.tools()))
        build(PolicyBook.load(self.policies), self.home / "knowledge", MiniLM())

    def put(self, misbehaves: str = "", **orders: Any) -> None:
        """The shop as it was at first, apart from these `orders`; `misbehaves` says what becomes of its next write."""
        self.data.write_text(json.dumps({"users": USERS, "orders": {**ORDERS, **orders}, "misbehaves": misbehaves}))

    def order(self, order_id: str) -> Mapping[str, Any]:
        """An order as the shop has it."""
        return json.loads(self.data.read_text())["orders"][order_id]

    @property
    def variables(self) -> dict[str, Any]:
        """The settings that name it, by their names in `Settings`."""
        return {"systems": self.systems, "packs": self.packs, "policies": self.policies, "home": self.home}
