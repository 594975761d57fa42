"""The dashboard as a server: Streamlit's app behind a guard, with the sign-in form beside it; where it listens, and how long."""

import errno
import logging
import os
import signal
import socket
import sys
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st
import streamlit.logger
import uvicorn.config
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dashboard import endpoints, sign_in
from dashboard.branding import accents
from dashboard.company import Company, Tools, company, use
from dashboard.guard import RequestGuard, site_of
from dashboard.markup import label
from dashboard.visitor import auth_secrets, uses_oidc
from errors import BadInput, MissionsError
from logs import log_as_json
from settings import Settings

#: from the connection, or the first byte of another request, to the end of its headers
HEADERS_SECONDS = 10.0
#: from there to the end of its body, whose size others limit
BODY_SECONDS = 60.0
_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_log = logging.getLogger(__name__)
APP = Path(__file__).with_name("app.py")


def require_address(address: str, port: int) -> None:
    """Raise BadInput, with the remedy, unless the dashboard can listen there."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        if sys.platform != "win32":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise BadInput(
                    f"port {port} of {address} is in use: stop what listens there, or name another in MISSIONS_PORT"
                ) from error
            if error.errno == errno.EACCES:
                raise BadInput(f"this account may not listen on port {port}: name one from 1024 in MISSIONS_PORT") from error
            raise BadInput(f"MISSIONS_ADDRESS: {address!r} is no address of this machine; the usual one is 127.0.0.1") from error


class PunctualProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, to whoever says in time what they want."""

    _deadline: TimerHandle | None = None
    #: between the first byte of a request and its last
    _under_way = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._within(HEADERS_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and not self._under_way:
            self._within(HEADERS_SECONDS)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._under_way = True

    def on_headers_complete(self) -> None:
        self._within(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._under_way = False
        self._within(None)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._within(None)
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        super().connection_lost(exc)

    def _within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        self._deadline = None
        answering: Any = self.cycle
        if answering is None or not answering.response_started or answering.response_complete:
            self.transport.write(_LATE)
        self.transport.close()


def serve(chosen: Settings, tools: Tools, on_ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises BadInput, before anything is opened, for an address or a setting that is no good."""
    secrets = {"auth": auth_secrets(chosen)} if uses_oidc(chosen) else {}
    if chosen.brand_logo is not None and not chosen.brand_logo.is_file():
        raise BadInput(f"MISSIONS_BRAND_LOGO: there is no file {chosen.brand_logo}; name a picture, or unset it")
    site_of(chosen)
    require_address(chosen.address, chosen.port)
    # uvicorn reads it from here alone
    os.environ["FORWARDED_ALLOW_IPS"] = chosen.proxies
    # Streamlit starts the server, and leaves to uvicorn how it speaks
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{PunctualProtocol.__name__}"
    # Streamlit would take the modules in `pages` for scripts of an app in its older form
    PagesManager.uses_pages_directory = False
    if chosen.log == "json":
        _log_as_json()
    use(None, tools)
    opened = company()
    # uvicorn stops by itself first, then raises the signal once more: as an exception, so that the database is closed too
    signal.signal(signal.SIGTERM, _leave)
    on_ready()
    _log.info("the dashboard is ready")
    try:
        _app(opened, chosen, secrets).run(config=config(chosen))
    except KeyboardInterrupt:
        pass
    finally:
        opened.close()
        use(None)


def _app(opened: Company, chosen: Settings, secrets: dict[str, Any]) -> st.App:
    signed_in = None if uses_oidc(chosen) else lambda token: opened.desk.who(token, chosen.second_factor_roles) is not None
    return st.App(
        APP,
        secrets=secrets,
        routes=[*sign_in.routes(), *endpoints.routes()],
        middleware=[Middleware(RequestGuard, site=site_of(chosen), signed_in=signed_in)],
        on_script_error=_show_error,
    )


def _log_as_json() -> None:
    """Streamlit and uvicorn give their loggers handlers that write text; here they hand on what they get."""
    log_as_json()

    def hand_on(logger: logging.Logger) -> None:
        logger.handlers.clear()
        logger.propagate = True

    streamlit.logger.setup_formatter = hand_on
    streamlit.logger.update_formatter()
    uvicorn.config.LOGGING_CONFIG["loggers"] = {}


def config(chosen: Settings) -> dict[str, Any]:
    """Streamlit's options: nothing is sent anywhere, nothing is there for developers, the color is the brand's."""
    light, dark = accents(chosen.brand_color)
    return {
        "server.address": chosen.address,
        "server.port": chosen.port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.enableAgentApi": False,
        "server.enableStaticServing": False,
        "server.trustedUserHeaders": {},
        "browser.gatherUsageStats": False,
        "browser.serverAddress": chosen.address,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "client.showSidebarNavigation": False,
        "logger.hideWelcomeMessage": True,
        "logger.enableRich": False,
        "logger.level": "warning",
        # one for each, and nothing beside them: a theme of its own would be light for everybody
        "theme.light.primaryColor": light,
        "theme.dark.primaryColor": dark,
        "theme.baseFontSize": 15,
    }


def _show_error(error: Exception) -> bool:
    """What a page shows of an error that nobody took; Streamlit logs it."""
    if isinstance(error, MissionsError):
        st.error(label(error, 1_000), icon=":material/error:")
    else:
        st.error("This page failed, and the log of the dashboard says why. Reload it, or tell the person who runs the dashboard.")
    return True


def _leave(number: int, _frame: Any) -> NoReturn:
    sys.exit(128 + number)
