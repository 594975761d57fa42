"""`missions dashboard`."""

from cli.eval_beside import evaluate_recorded
from cli.screen import say
from dashboard.company import Tools
from dashboard.serving import serve
from evals.what_if import what_if
from graphs.settings import settings


def open_dashboard() -> None:
    """Serve the dashboard until it is stopped."""
    chosen = settings()
    serve(
        chosen,
        Tools(what_if=what_if, evaluate=evaluate_recorded),
        lambda: say(f"The dashboard: http://{chosen.address}:{chosen.port} (Ctrl-C stops it)"),
    )
    say("The dashboard is stopped.")
