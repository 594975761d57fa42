"""The shop's MCP server, as strangers write them; its data stand in the file that SHOP_FILE names.

No annotations, answers in an envelope as JSON text, errors as text, amounts with decimals, payment methods by their ids.
`misbehaves` in the file says what becomes of the next write: "nothing is done", "done, with an error", "ends before",
"ends after".
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from pydantic import Field

FILE = Path(os.environ["SHOP_FILE"])
server = MCPServer("acme-retail", log_level="CRITICAL")
Data = dict[str, Any]


def load() -> Data:
    return json.loads(FILE.read_text())


def enveloped(content: Any) -> str:
    return json.dumps({"status": "success", "parsed_content": content, "elapsed_ms": 3})


def written(data: Data, content: Any) -> str:
    how = data.pop("misbehaves", "")
    if how == "ends before":
        FILE.write_text(json.dumps({**load(), "misbehaves": ""}))
        os._exit(1)
    FILE.write_text(json.dumps({**load(), "misbehaves": ""} if how == "nothing is done" else data))
    if how == "ends after":
        os._exit(1)
    return "Error: internal error" if how == "done, with an error" else enveloped(content)


@server.tool()
def find_user_by_email(email: str) -> str:
    """Find user id by email."""
    found = [user["user_id"] for user in load()["users"].values() if user["email"] == email]
    return found[0] if found else "Error: user not found"


@server.tool()
def get_user_details(user_id: str) -> str:
    """Get the details of a user, including their orders."""
    user = load()["users"].get(user_id)
    return enveloped(user) if user else "Error: user not found"


@server.tool()
def get_order_details(order_id: str) -> str:
    """Get the status and details of an order."""
    order = load()["orders"].get(order_id)
    return enveloped(order) if order else "Error: order not found"


@server.tool()
def calculate(expression: str) -> str:
    """Calculate the result of a mathematical expression."""
    total, *rest = expression.split(" - ")
    return str(round(float(total) - sum(map(float, rest)), 2))


@server.tool()
def cancel_pending_order(order_id: str, reason: str) -> str:
    """Cancel a pending order. Asks for explicit confirmation."""
    data = load()
    order = data["orders"].get(order_id)
    if order is None:
        return "Error: order not found"
    if order["status"] != "pending":
        return "Error: non-pending order cannot be cancelled"
    order.update(status="cancelled", cancel_reason=reason)
    return written(data, order)


@server.tool()
def refund_items(order_id: str, item_ids: list[str], payment_method_id: str, amount: float) -> str:
    """Refund items of a delivered order to a payment method."""
    data = load()
    order = data["orders"].get(order_id)
    if order is None or order["status"] != "delivered":
        return "Error: order cannot be refunded"
    for item in order["items"]:
        if item["item_id"] in item_ids:
            item["refunded"] = True
    method = data["users"][order["user_id"]]["payment_methods"][payment_method_id]
    if "balance" in method:
        method["balance"] = round(method["balance"] + amount, 2)
    order["payment_history"].append({"type": "refund", "amount": amount, "payment_method_id": payment_method_id})
    return written(data, order)


@server.tool()
def set_order_note(order_id: str, note: Annotated[str, Field(max_length=40)]) -> str:
    """Set the note of an order."""
    data = load()
    data["orders"][order_id]["note"] = note
    return written(data, data["orders"][order_id])


@server.tool()
def transfer_to_human_agents(summary: str) -> str:
    """Transfer the user to a human agent, with a summary of the user's issue."""
    return "Transfer successful"


if __name__ == "__main__":
    server.run("stdio")
