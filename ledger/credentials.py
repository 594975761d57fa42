"""What somebody signs in with at a local account: passwords (argon2id, the parameters of the library) and codes of an app.

One-time passwords are such that people can read them out. Codes are of six digits (TOTP, RFC 6238), each good once.
"""

import hmac
import secrets
import unicodedata
from datetime import datetime
from functools import lru_cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from errors import BadInput

LEAST_CHARACTERS, MOST_CHARACTERS = 12, 200
#: no 0/o, 1/l: read from a terminal
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_hasher = PasswordHasher()


def half_password() -> str:
    """Half of a one-time password, of 40 bits: what one of two people knows of it ("split knowledge", NIST SP 800-57)."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(2))


def one_time_password() -> str:
    """A password of 80 bits, such as abcd-efgh-2345-jkmn."""
    return f"{half_password()}-{half_password()}"


def check_password(password: str, name: str) -> None:
    """Raises BadInput for a password that is too short, endless, or made of the name."""
    if len(password) < LEAST_CHARACTERS:
        raise BadInput(f"A password has at least {LEAST_CHARACTERS} characters: choose a longer one.")
    if len(password) > MOST_CHARACTERS:
        raise BadInput(f"A password has at most {MOST_CHARACTERS} characters: choose a shorter one.")
    rest = password.casefold().replace(name.strip().casefold(), "")
    if len(set(rest)) < 5:
        raise BadInput("This password is easily guessed: choose one with more different characters, without your name.")


def hash_password(password: str) -> str:
    """For the database: argon2id (RFC 9106) with a salt of its own, in the form `$argon2id$…`, of the password in NFKC."""
    return _hasher.hash(_normal(password))


def is_password(password: str, kept: str | None) -> bool:
    """Whether it is the password; takes as long where there is none to compare with."""
    nobodys = _nobodys()
    try:
        return _hasher.verify(kept or nobodys, _normal(password[:MOST_CHARACTERS])) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher.hash(secrets.token_hex(16))


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


SECONDS = 30
#: steps before and after now that are good too: clocks differ, and people type
_WINDOW = 1


def new_totp_secret() -> str:
    """160 bits, in base32."""
    return pyotp.random_base32()


def totp_address(secret: str, name: str, issuer: str) -> str:
    """What a QR code tells the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def totp_step(secret: str, code: str, last_step: int, at: datetime) -> int | None:
    """The step of time whose code this is; None where it is of none, or of one that was used."""
    given, now = "".join(code.split()).encode(), int(at.timestamp()) // SECONDS
    found = None
    for step in range(now - _WINDOW, now + _WINDOW + 1):
        right = pyotp.TOTP(secret).generate_otp(step).encode()
        if hmac.compare_digest(right, given) and step > last_step:
            found = step
    return found
