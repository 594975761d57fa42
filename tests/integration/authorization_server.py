"""A small OAuth 2.1 authorization server, strict where a client is easily careless: PKCE, redirect, resource, rotation."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.integration.http_shop import Gate, served


@dataclass
class Issuer:
    """What a test sees of it, and how it makes it behave."""

    #: its address
    url: str = ""
    #: the resource that tokens are issued for
    resource: str = ""
    #: secrets of clients; None: a public client
    clients: dict[str, str | None] = field(default_factory=lambda: {"missions": "client-secret-1"})
    lasts: int | None = 3600
    says_no: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    #: access tokens that are good now, refresh tokens that were not used yet, and all that were ever given
    access: set[str] = field(default_factory=set)
    refresh: set[str] = field(default_factory=set)
    given: list[str] = field(default_factory=list)
    #: the forms that its token endpoint was sent
    forms: list[dict[str, str]] = field(default_factory=list)
    #: whom Missions speak for, by the token; who signs that is known by this public key
    subjects: dict[str, str] = field(default_factory=dict)
    public_key: Any = None
    unknown_people: tuple[str, ...] = ()
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def gate(self) -> Gate:
        """Of a system that takes its tokens alone."""

        def gate(request: Request) -> Response | None:
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            return None if token in self.access else Response(status_code=401)

        return gate

    def withdraw(self) -> None:
        """Whatever was given is good no longer."""
        self.access.clear()
        self.refresh.clear()


def _routes(issuer: Issuer) -> list[Route]:
    def refused(code: str, status: int = 400) -> Response:
        body = {"error": code, "error_description": f"of {' '.join(issuer.forms[-1].values())}" if issuer.forms else ""}
        return JSONResponse(body, status_code=status)

    async def metadata(request: Request) -> Response:
        endpoints = {name: f"{issuer.url}/{name.split('_')[0]}" for name in ("token_endpoint", "authorization_endpoint")}
        registers = {"registration_endpoint": f"{issuer.url}/register"}
        return JSONResponse({"issuer": issuer.url, **endpoints, **registers, **issuer.metadata})

    async def register(request: Request) -> Response:
        asked = await request.json()
        issuer.clients["registered"] = None
        return JSONResponse({"client_id": "registered", **asked}, status_code=201)

    async def authorize(request: Request) -> Response:
        query = dict(request.query_params)
        answer = {"state": query["state"], "iss": issuer.url}
        if issuer.says_no:
            return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer | {'error': 'access_denied'})}")
        assert query["code_challenge_method"] == "S256" and query["client_id"] in issuer.clients
        code = secrets.token_urlsafe(16)
        issuer.codes[code] = query
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer | {'code': code})}")

    async def token(request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        issuer.forms.append(form)
        client, secret = form.get("client_id"), form.get("client_secret")
        if basic := request.headers.get("authorization", "").removeprefix("Basic "):
            client, secret = base64.b64decode(basic).decode().split(":")
        if client not in issuer.clients or issuer.clients[client] != secret:
            return refused("invalid_client", 401)
        if form.get("resource") != issuer.resource:
            return refused("invalid_target")
        if form["grant_type"] == "authorization_code":
            asked = issuer.codes.pop(form["code"], {})
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
            if (asked.get("code_challenge"), asked.get("redirect_uri")) != (challenge, form["redirect_uri"]):
                return refused("invalid_grant")
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] not in issuer.refresh:
                issuer.withdraw()  # one that was used before is in two hands
                return refused("invalid_grant")
            issuer.refresh.discard(form["refresh_token"])
        subject = ""
        if form["grant_type"].endswith(":token-exchange"):
            claims = jwt.decode(
                form["subject_token"], issuer.public_key, ["ES256", "EdDSA"], audience=issuer.url, issuer="https://missions.example",
                options={"require": ["exp", "iat", "jti", "sub"]},
            )  # fmt: skip
            subject = claims["sub"]
            if subject in issuer.unknown_people:
                return refused("invalid_grant")
        given = {"access_token": f"at-{secrets.token_urlsafe(16)}", "token_type": "bearer"}
        issuer.access.add(given["access_token"])
        issuer.subjects[given["access_token"]] = subject
        if form["grant_type"] in ("authorization_code", "refresh_token"):
            given["refresh_token"] = f"rt-{secrets.token_urlsafe(16)}"
            issuer.refresh.add(given["refresh_token"])
        issuer.given += [given["access_token"], given.get("refresh_token", "")]
        return JSONResponse(given | ({"expires_in": issuer.lasts} if issuer.lasts is not None else {}))

    return [
        Route("/.well-known/oauth-authorization-server", metadata),
        Route("/register", register, methods=["POST"]),
        Route("/authorization", authorize),
        Route("/token", token, methods=["POST"]),
    ]


@contextmanager
def authorization_server() -> Iterator[Issuer]:
    """The authorization server on a port of this machine, until the block ends."""
    issuer = Issuer()
    with served(Starlette(routes=_routes(issuer))) as origin:
        issuer.url = origin
        yield issuer
