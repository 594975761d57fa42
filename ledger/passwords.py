"""Passwords of local accounts: argon2id with the parameters of the library, one-time passwords that people can read out."""

import secrets
import unicodedata
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from errors import BadInput

LEAST_CHARACTERS, MOST_CHARACTERS = 12, 200
#: no 0/o, 1/l: read from a terminal
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_hasher = PasswordHasher()


def half() -> str:
    """Half of a one-time password: what one of two people knows of it."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(2))


def one_time() -> str:
    """A password of 80 bits, such as abcd-efgh-2345-jkmn."""
    return f"{half()}-{half()}"


def check(password: str, name: str) -> None:
    """Raises BadInput for a password that is too short, endless, or made of the name."""
    if len(password) < LEAST_CHARACTERS:
        raise BadInput(f"A password has at least {LEAST_CHARACTERS} characters: choose a longer one.")
    if len(password) > MOST_CHARACTERS:
        raise BadInput(f"A password has at most {MOST_CHARACTERS} characters: choose a shorter one.")
    rest = password.casefold().replace(name.strip().casefold(), "")
    if len(set(rest)) < 5:
        raise BadInput("This password is easily guessed: choose one with more different characters, without your name.")


def hashed(password: str) -> str:
    """For the database."""
    return _hasher.hash(_normal(password))


def matches(password: str, kept: str | None) -> bool:
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
