"""`forked.py SOCKET -m MODULE …`: have that module forked in place of python, with folder and pipes of this process.

It imports as little as it can, and ends with the fork; a fork whose client is stopped is stopped too.
"""

import os
import signal
import socket
import sys
import time


def main() -> int:
    """Hand everything over, and wait for the end."""
    connection = _connected(sys.argv[1])
    asked = _as_json(sys.argv[2:], dict(os.environ))
    socket.send_fds(connection, [asked], [0, 1, 2])
    for descriptor in (0, 1):  # the pipes are the fork's now: it must see their end
        os.close(descriptor)
    pid, _, rest = connection.recv(64).partition(b"\n")
    signal.signal(signal.SIGTERM, lambda *_: os.kill(int(pid), signal.SIGTERM))
    ended = rest or connection.recv(1)
    return ended[0] if ended else 1


def _connected(address: str) -> socket.socket:
    until = time.monotonic() + 60
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(address)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):  # it is still importing
            connection.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _as_json(arguments: list[str], environment: dict[str, str]) -> bytes:
    import json

    return json.dumps({"arguments": arguments, "environment": environment, "folder": os.getcwd()}).encode()


if __name__ == "__main__":
    sys.exit(main())
