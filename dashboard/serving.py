"""The dashboard as a server: Streamlit's app behind a guard, with the sign-in form beside it."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st
import streamlit.logger
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager
from uvicorn.config import LOGGING_CONFIG

from dashboard import events, sign_in
from dashboard.address import require_address
from dashboard.branding import accents
from dashboard.company import Company, Tools, company, equip, use
from dashboard.deadlines import keep_deadlines
from dashboard.guard import Guard
from dashboard.health import watch_routes
from dashboard.oidc import auth_secrets, uses_oidc
from dashboard.origin import site_of
from dashboard.text import label
from errors import BadInput, MissionsError
from graphs.logs import log_as_json
from graphs.settings import Settings

_log = logging.getLogger(__name__)
APP = Path(__file__).with_name("app.py")


def serve(chosen: Settings, tools: Tools, on_ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises BadInput, before anything is opened, for an address or a setting that is no good."""
    secrets = {"auth": auth_secrets(chosen)} if uses_oidc(chosen) else {}
    if chosen.brand_logo is not None and not chosen.brand_logo.is_file():
        raise BadInput(f"MISSIONS_BRAND_LOGO: there is no file {chosen.brand_logo}; name a picture, or unset it")
    site_of(chosen)
    require_address(chosen.address, chosen.port)
    # uvicorn reads it from here alone
    os.environ["FORWARDED_ALLOW_IPS"] = chosen.proxies
    keep_deadlines()
    # Streamlit would take the modules in `pages` for scripts of an app in its older form
    PagesManager.uses_pages_directory = False
    if chosen.log == "json":
        _log_as_json()
    equip(tools)
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
        routes=[*sign_in.routes(), *events.routes(), *watch_routes()],
        middleware=[Middleware(Guard, site=site_of(chosen), signed_in=signed_in)],
        on_script_error=_told,
    )


def _log_as_json() -> None:
    """Streamlit and uvicorn give their loggers handlers that write text; here they hand on what they are told."""
    log_as_json()

    def hand_on(logger: logging.Logger) -> None:
        logger.handlers.clear()
        logger.propagate = True

    streamlit.logger.setup_formatter = hand_on
    streamlit.logger.update_formatter()
    LOGGING_CONFIG["loggers"] = {}


def config(chosen: Settings) -> dict[str, Any]:
    """Streamlit's options: nothing is sent anywhere, nothing is there for developers, the colour is the brand's."""
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


def _told(error: Exception) -> bool:
    """What a page shows of an error that nobody took; Streamlit logs it."""
    if isinstance(error, MissionsError):
        st.error(label(error, 1_000), icon=":material/error:")
    else:
        st.error("This page failed, and the log of the dashboard says why. Reload it, or tell whoever runs the dashboard.")
    return True


def _leave(number: int, _frame: Any) -> NoReturn:
    sys.exit(128 + number)
