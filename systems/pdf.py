"""A PDF, opened as the hostile file that it is: the invoice that it carries (Factur-X, ZUGFeRD, XRechnung), or else its text.

It is opened by a process of its own (`python -m systems.pdf`), which has no secrets, and few seconds and little memory, so
that whatever a file makes of its parser ends with that process.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from errors import BadInput

BEGINS = b"%PDF-"
#: bytes of an invoice in a PDF; pages that are read, and characters of their text
MOST_INVOICE_BYTES, MOST_PAGES, LONGEST_TEXT = 5_000_000, 10, 20_000
#: of the process: seconds of processor and of waiting, bytes of memory
_CPU_SECONDS, _SECONDS, _MEMORY = 10, 60.0, 1_000_000_000
#: what the file with the invoice is called in a PDF/A-3 (Factur-X 1.0, ZUGFeRD 2.0 and 2.1), in lowercase
_NAMES = frozenset(("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml"))
#: of the environment, what Python needs to begin
_ENVIRONMENT = ("PATH", "PYTHONPATH", "SYSTEMROOT", "LANG", "LC_ALL")


@dataclass(frozen=True)
class PdfContent:
    """What a PDF holds: the XML of its invoice, or else the text of its first pages; each may be empty."""

    invoice: bytes
    text: str


def open_pdf(content: bytes) -> PdfContent:
    """What a PDF holds. Raises BadInput, in a sentence, for one that is encrypted, broken, a bomb, or of two invoices."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "systems.pdf"], input=content, capture_output=True, timeout=_SECONDS, env=environment,
            check=True,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:  # killed, out of memory, or out of time
        raise BadInput(f"the PDF cannot be opened within {_CPU_SECONDS} seconds and in 1 GB; look at it yourself") from error
    told = json.loads(done.stdout)
    if told["refused"]:
        raise BadInput(f"the PDF {told['refused']}")
    return PdfContent(told["invoice"].encode("latin-1"), told["text"])


def _opened(content: bytes) -> dict[str, Any]:
    """{"refused", "invoice", "text"}, each as text and perhaps empty."""
    from pypdf import PdfReader  # after this process has its limits

    told = {"refused": "", "invoice": "", "text": ""}
    try:
        reader = PdfReader(BytesIO(content))
        if reader.is_encrypted:
            return {**told, "refused": "is encrypted; ask for it without a password"}
        found = [one for one in reader.attachment_list if one.name.casefold() in _NAMES]
        if len(found) > 1:
            return {**told, "refused": f"carries {len(found)} invoices, of which only one can be meant; ask the supplier for one"}
        if found:
            invoice = found[0].content
            if len(invoice) > MOST_INVOICE_BYTES:
                return {**told, "refused": f"carries an invoice of more than {MOST_INVOICE_BYTES:,} bytes; enter it by hand"}
            return {**told, "invoice": invoice.decode("latin-1")}
        text = "\n".join(page.extract_text() for page in reader.pages[:MOST_PAGES])
        return {**told, "text": text.encode("utf-8", "replace").decode()[:LONGEST_TEXT]}
    except MemoryError:
        raise
    except Exception:  # whatever a parser makes of what somebody built against it
        return {**told, "refused": "is not put together as a PDF is, and cannot be read; look at it yourself"}


def _main() -> None:
    with suppress(ImportError):  # not on Windows: there the time alone is limited
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.stdout.write(json.dumps(_opened(sys.stdin.buffer.read())))


if __name__ == "__main__":
    _main()
