"""`missions dashboard`."""

from cli.screen import say
from dashboard.company import Tools
from dashboard.serving import serve
from graphs.settings import settings


def open_dashboard() -> None:
    """Serve the dashboard until it is stopped."""
    chosen = settings()
    say(f"The dashboard: http://{chosen.address}:{chosen.port}")
    serve(chosen, Tools())
