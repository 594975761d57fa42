"""Where the dashboard listens."""

import errno
import socket
import sys

from errors import BadInput


def require_address(address: str, port: int) -> None:
    """Raise BadInput, with the remedy, unless the dashboard can listen there."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        if sys.platform != "win32":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise BadInput(
                    f"port {port} of {address} is in use: stop what listens there, or name another in MISSIONS_PORT"
                ) from error
            if error.errno == errno.EACCES:
                raise BadInput(f"this account may not listen on port {port}: name one from 1024 in MISSIONS_PORT") from error
            raise BadInput(f"MISSIONS_ADDRESS: {address!r} is no address of this machine; the usual one is 127.0.0.1") from error
