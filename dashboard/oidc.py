"""Signing in at an OpenID Connect provider: what Streamlit's `st.login` needs to know, and how long it counts."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from errors import BadInput
from graphs.settings import Settings

CALLBACK = "/oauth2callback"
LEAST_SECRET_CHARACTERS = 32


def uses_oidc(chosen: Settings) -> bool:
    """Whether people sign in at a provider."""
    return bool(chosen.oidc_metadata_url)


def auth_secrets(chosen: Settings) -> dict[str, Any]:
    """The `auth` section of Streamlit's secrets. Raises BadInput that names the variable that is missing or wrong."""
    given = {
        "MISSIONS_OIDC_CLIENT_ID": chosen.oidc_client_id,
        "MISSIONS_OIDC_CLIENT_SECRET": chosen.oidc_client_secret.get_secret_value(),
        "MISSIONS_COOKIE_SECRET": chosen.cookie_secret.get_secret_value(),
    }
    for name, value in given.items():
        if not value:
            raise BadInput(f"MISSIONS_OIDC_METADATA_URL is set and {name} is not: set it, or unset both to use local accounts")
    if len(given["MISSIONS_COOKIE_SECRET"]) < LEAST_SECRET_CHARACTERS:
        raise BadInput(f"MISSIONS_COOKIE_SECRET: use at least {LEAST_SECRET_CHARACTERS} random characters")
    return {
        "redirect_uri": redirect_uri(chosen),
        "cookie_secret": given["MISSIONS_COOKIE_SECRET"],
        "client_id": given["MISSIONS_OIDC_CLIENT_ID"],
        "client_secret": given["MISSIONS_OIDC_CLIENT_SECRET"],
        "server_metadata_url": chosen.oidc_metadata_url,
    }


def redirect_uri(chosen: Settings) -> str:
    """Where the provider sends people back to."""
    uri = chosen.oidc_redirect_uri or f"http://{chosen.address}:{chosen.port}{CALLBACK}"
    where = urlsplit(uri)
    if where.scheme not in ("http", "https") or not where.netloc or where.path != CALLBACK or where.hostname in ("0.0.0.0", "::"):
        raise BadInput(f"MISSIONS_OIDC_REDIRECT_URI: {uri!r} is no address of the dashboard; write https://HOST{CALLBACK}")
    return uri


def verified_name(claims: Mapping[str, Any], lasts: timedelta, now: datetime) -> str:
    """The e-mail address that the provider vouches for, for so long after it was issued; otherwise empty.

    An address that is not said to be verified is anybody's: some providers let people write what they like.
    """
    verified, issued, email = claims.get("email_verified"), claims.get("iat"), claims.get("email")
    if verified not in (True, "true") or not isinstance(issued, int | float) or not isinstance(email, str) or "@" not in email:
        return ""
    return email if now < datetime.fromtimestamp(issued, UTC) + lasts else ""
