"""A mailbox on this machine that speaks as much IMAP as is read of one: sign-in, one folder, search and fetch by UID."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

USER, PASSWORD = "support@example.com", "correct horse"


class MailServer:
    """What the server has: mails by UID, in the order in which they came."""

    def __init__(self) -> None:
        self.mails: dict[int, bytes] = {}
        self.validity, self.port, self.lines = 7, 0, list[str]()
        #: said in place of the real size of a mail, and of the length of what is sent
        self.announced: int | None = None
        self.lies: int | None = None

    def deliver(self, mail: bytes) -> int:
        uid = max(self.mails, default=0) + 1
        self.mails[uid] = mail
        return uid


class _Client(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        box: MailServer = self.server.box
        self.say("* OK ready")
        while line := self.rfile.readline().decode().strip():
            box.lines.append(line)
            tag, command, rest = (*line.split(" ", 2), "")[:3]
            if command == "CAPABILITY":
                self.say("* CAPABILITY IMAP4REV1", f"{tag} OK done")
            elif command == "LOGIN":
                good = rest == f'{USER} "{PASSWORD}"'
                self.say(f"{tag} OK done" if good else f"{tag} NO wrong password {rest}")
            elif command == "EXAMINE":
                folder = rest == '"INBOX"'
                self.say(
                    *(
                        [f"* OK [UIDVALIDITY {box.validity}] valid", f"{tag} OK [READ-ONLY] done"]
                        if folder
                        else [f"{tag} NO none"]
                    )
                )
            elif command == "UID" and rest.startswith("SEARCH"):
                first = int(re.findall(r"UID (\d+):\*", rest)[0])
                # `n:*` names the last mail even where that is before n
                found = [uid for uid in box.mails if uid >= first] or list(box.mails)[-1:]
                self.say(f"* SEARCH {' '.join(map(str, found))}", f"{tag} OK done")
            elif command == "UID" and rest.startswith("FETCH"):
                self.fetch(box, tag, rest)
            elif command == "LOGOUT":
                self.say("* BYE", f"{tag} OK done")
                return
            else:
                self.say(f"{tag} BAD {command}")

    def fetch(self, box: MailServer, tag: str, rest: str) -> None:
        uid = int(rest.split()[1])
        mail = box.mails[uid]
        if "RFC822.SIZE" in rest:
            self.say(f"* 1 FETCH (UID {uid} RFC822.SIZE {len(mail) if box.announced is None else box.announced})")
        else:
            said = len(mail) if box.lies is None else box.lies
            self.wfile.write(b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n" % (uid, said) + mail + b")\r\n")
        self.say(f"{tag} OK done")

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server of its own on a free port of this machine."""
    box = MailServer()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Client) as server:
        server.daemon_threads, server.box = True, box  # type: ignore[attr-defined]
        box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield box
        finally:
            server.shutdown()
