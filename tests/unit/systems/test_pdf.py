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


def _raw(*objects: bytes) -> bytes:
    """A PDF of these objects, the first of which is its catalog."""
    made, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in (0, *places))
    ends = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(places) + 1, len(made))
    return made + b"xref\n0 %d\n%s" % (len(places) + 1, table) + ends


def _stream(content: bytes, about: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (about, len(content), content)


def _carrying(stream: bytes, filters: bytes) -> bytes:
    """A PDF with an invoice as a stream that is encoded already."""
    return _raw(
        b"<< /Type /Catalog /Pages 2 0 R /Names << /EmbeddedFiles << /Names [(factur-x.xml) 3 0 R] >> >> >>",
        b"<< /Type /Pages /Kids [] /Count 0 >>",
        b"<< /Type /Filespec /F (factur-x.xml) /EF << /F 4 0 R >> >>",
        _stream(stream, b"/Type /EmbeddedFile /Filter " + filters),
    )


def test_of_a_pdf_without_an_invoice_the_text_is_read() -> None:
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> /MediaBox [0 0 99 99] >>"
    opened = open_pdf(
        _raw(
            b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page,
            _stream(b"BT /F1 12 Tf (Total: 12.50 EUR) Tj ET"), b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        )
    )  # fmt: skip
    assert (opened.invoice, opened.text.strip()) == (b"", "Total: 12.50 EUR")


def _bomb() -> bytes:
    """200 MB of nothing, packed twice."""
    packer = zlib.compressobj(9)
    once = b"".join(packer.compress(bytes(10**7)) for _ in range(20)) + packer.flush()
    return _carrying(zlib.compress(once, 9), b"[/FlateDecode /FlateDecode]")


def test_the_pdf_that_a_bomb_is_made_of_is_one_that_opens() -> None:
    assert open_pdf(_carrying(zlib.compress(CII.encode()), b"/FlateDecode")).invoice == CII.encode()


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
