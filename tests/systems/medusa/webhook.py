"""Takes what the shop posts."""

from http.server import BaseHTTPRequestHandler
from typing import ClassVar


class Webhook(BaseHTTPRequestHandler):
    """Takes what the shop posts: its signature and its body."""

    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        """Keep what is posted."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.append((self.headers["x-shop-signature"], body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
