"""The dashboard as a server: Streamlit's app, with the sign-in form beside it."""

from datetime import timedelta
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.company import Tools, company, equip
from dashboard.visitor import COOKIE
from graphs.settings import Settings

APP = Path(__file__).with_name("app.py")


async def sign_in(request: Request) -> Response:
    """The form, and what came of it."""
    told = ""
    if request.method == "POST":
        given = {k: v[0] for k, v in parse_qs((await request.body()).decode()).items()}
        hours = timedelta(hours=company().settings.session_hours)
        knock = await run_in_threadpool(
            company().desk.sign_in, given.get("name", ""), given.get("password", ""), hours, given.get("chosen") or None
        )
        if knock.token:
            response = RedirectResponse("/", 303)
            response.set_cookie(COOKIE, knock.token, httponly=True, samesite="lax", max_age=int(hours.total_seconds()))
            return response
        told = knock.refused
    return HTMLResponse(
        f"<p>{escape(told)}</p><form method=post><input name=name placeholder=name><input name=password type=password>"
        "<input name=chosen type=password placeholder='new password'><button>Sign in</button></form>"
    )


def serve(chosen: Settings, tools: Tools) -> None:
    """Serve until stopped."""
    equip(tools)
    app = st.App(APP, routes=[Route("/sign-in", sign_in, methods=["GET", "POST"])])
    app.run(config={"server.address": chosen.address, "server.port": chosen.port, "server.headless": True})
