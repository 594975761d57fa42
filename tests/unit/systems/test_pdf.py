"""PDFs are opened as hostile files: the one invoice that one carries, or a sentence that says why it is not opened."""

import time
import zlib

import pytest

from errors import BadInput
from systems.pdf import open_pdf
from tests.factur_x import CII, pdf_with


def test_of_a_pdf_the_one_invoice_in_it_is_taken_whatever_else_it_carries() -> None:
    opened = open_pdf(pdf_with(("terms.xml", "<terms/>"), ("Factur-X.xml", CII)))
    assert (opened.invoice, opened.text) == (CII.encode(), "")
    opened = open_pdf(pdf_with(("terms.xml", "<terms/>")))
    assert opened.invoice == b""


def _raw(stream: bytes, filters: str) -> bytes:
    """A PDF with one attached file as a stream that is encoded already."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Names << /EmbeddedFiles << /Names [(factur-x.xml) 3 0 R] >> >> >>",
        b"<< /Type /Pages /Kids [] /Count 0 >>",
        b"<< /Type /Filespec /F (factur-x.xml) /EF << /F 4 0 R >> >>",
        b"<< /Type /EmbeddedFile /Filter %s /Length %d >>\nstream\n%s\nendstream" % (filters.encode(), len(stream), stream),
    ]
    made, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return made + b"xref\n0 5\n0000000000 65535 f \n%strailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(made),
    )


def _bomb() -> bytes:
    """200 MB of nothing, packed twice."""
    packer = zlib.compressobj(9)
    once = b"".join(packer.compress(bytes(10**7)) for _ in range(20)) + packer.flush()
    return _raw(zlib.compress(once, 9), "[/FlateDecode /FlateDecode]")


def test_the_pdf_that_a_bomb_is_made_of_is_one_that_opens() -> None:
    assert open_pdf(_raw(zlib.compress(CII.encode()), "/FlateDecode")).invoice == CII.encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda: pdf_with(("factur-x.xml", CII), password="secret"), "is encrypted"),
        (lambda: pdf_with(("factur-x.xml", CII), ("zugferd-invoice.xml", CII)), "carries 2 invoices"),
        (lambda: pdf_with(("factur-x.xml", CII), ("factur-x.xml", CII)), "carries 2 invoices"),
        (lambda: pdf_with(("factur-x.xml", "x" * 5_000_001)), "more than 5,000,000 bytes"),
        (lambda: b"%PDF-1.7\n" + b"(" * 1_000_000, "cannot be"),
        (lambda: b"%PDF-1.7\n" + b"[" * 1_000_000, "cannot be"),
        (_bomb, "cannot be"),
    ],
    ids=["encrypted", "two names", "a name twice", "too large", "no end", "depth", "bomb"],
)
def test_a_pdf_that_would_harm_or_mislead_is_one_sentence(content: object, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(BadInput, match=says) as told:
        open_pdf(content())  # type: ignore[operator]
    assert str(told.value).isprintable() and time.monotonic() - began < 30
