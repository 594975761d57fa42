"""Ed25519 signatures (RFC 8032) of what is exported, and the key they are made with."""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from errors import BadInput

#: bytes of a PEM file; one of these keys takes 120
_LONGEST = 10_000


def signing_key(file: Path) -> Ed25519PrivateKey:
    """The private key of a PEM file, which is made, readable for this account alone, where there is none.

    Raises BadInput for a file that holds something else, or that cannot be read or written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        made = Ed25519PrivateKey.generate()
        pem = made.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        # written beside and linked into its place: of two who make it at once one wins, and nobody reads half of it
        beside = file.with_name(f"{file.name}.{os.getpid()}")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(pem)
        try:
            os.link(beside, file)
            return made
        finally:
            beside.unlink()
    except FileExistsError:
        return _private(file)
    except OSError as failed:
        raise BadInput(
            f"The key {file} cannot be made ({failed.strerror}): name a file that can in MISSIONS_AUDIT_KEY."
        ) from failed


def _private(file: Path) -> Ed25519PrivateKey:
    try:
        key = form.load_pem_private_key(_bytes(file), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{file} is not a private Ed25519 key in PEM without a password; name one in MISSIONS_AUDIT_KEY.")
    return key


def public_key(file: Path) -> Ed25519PublicKey:
    """The public key of a PEM file. Raises BadInput for anything else."""
    try:
        key = form.load_pem_public_key(_bytes(file))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"{file} is not a public Ed25519 key in PEM; name the public.pem of the export.")
    return key


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_LONGEST)
    except OSError as failed:
        raise BadInput(f"The key {file} cannot be read: {failed.strerror}.") from failed


def pem(key: Ed25519PublicKey) -> bytes:
    """The public key as a PEM file."""
    return key.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: Ed25519PublicKey) -> str:
    """sha256 of the key, as 64 hexadecimal digits: what two people compare on the telephone."""
    return hashlib.sha256(key.public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)).hexdigest()


def signed(key: Ed25519PrivateKey, message: bytes) -> str:
    """The signature, in base64."""
    return base64.b64encode(key.sign(message)).decode()


def is_signed(key: Ed25519PublicKey, message: bytes, signature: str) -> bool:
    """Whether this key signed this message."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
