"""The second factor: codes of six digits from an app (TOTP, RFC 6238), each good once."""

import hmac
from datetime import datetime

import pyotp

SECONDS = 30
#: steps before and after now that are good too: clocks differ, and people type
_WINDOW = 1


def new_secret() -> str:
    """160 bits, in base32."""
    return pyotp.random_base32()


def address(secret: str, name: str, issuer: str) -> str:
    """What a QR code tells the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def step_of(secret: str, code: str, last_step: int, at: datetime) -> int | None:
    """The step of time whose code this is; None where it is of none, or of one that was used."""
    given, now = "".join(code.split()).encode(), int(at.timestamp()) // SECONDS
    found = None
    for step in range(now - _WINDOW, now + _WINDOW + 1):
        right = pyotp.TOTP(secret).generate_otp(step).encode()
        if hmac.compare_digest(right, given) and step > last_step:
            found = step
    return found
