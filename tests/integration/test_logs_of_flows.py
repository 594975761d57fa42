"""Whatever a Mission reads, a person writes and a library logs: no line of the log has it."""

import io
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from errors import MissionsError
from logs import JsonLines
from systems.calls import Call, Receipt
from tests.browser.serving import serving
from tests.integration.live_company import CASES, Company

pytest_plugins = ["tests.integration.live_company"]

NAME, ADDRESS, CARD = "Zebulon Quarkfeather", "zebulon@quark.example", "4111 1111 1111 1111"
CANARIES = ("zebulon", "quark", "4111", "s3cret")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What every logger of the process writes, down to the last detail."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


class Fails:
    """A writer with a defect that quotes what it was given."""

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer."""
        raise RuntimeError(f"{NAME} <{ADDRESS}> {dict(call.args)} {key}")


def test_no_line_of_the_log_has_what_customers_and_people_wrote(company: Company, written: io.StringIO) -> None:
    case = CASES["dev-ord-0004"]
    named = json.loads(json.dumps(case).replace(case["trigger"]["order_id"], "O-QUARK-1"))
    for customer in named["systems"]["crm"]["customers"]:
        customer["name"] = f"{NAME} {ADDRESS}"
    run = company.propose(named)
    assert "QUARK" in run.event.subject
    company.runtime.decide(run.run_id, "approve", "rita", f"{NAME} called: {CARD}")
    with company.writes_through(Fails()), pytest.raises(RuntimeError):
        company.runtime.drive(run.run_id)
    log = logging.getLogger("dashboard.company")
    try:
        company.ledger.take_in(company.event(named | {"case_id": "\0" + NAME * 40}), "r-1", {})
    except MissionsError as error:
        log.warning("run %s was not driven on: %s", run.run_id, error)
    try:
        raise ValueError(f"no customer {NAME}")
    except ValueError:
        log.exception("run %s was not driven on", run.run_id)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {f"run {run.run_id} was not driven on"} <= {line["message"] for line in lines}
    assert any(line.get("error", {}).get("types") == ["ValueError"] for line in lines)
    for canary in CANARIES:
        assert canary not in written.getvalue().lower()


@pytest.mark.slow
def test_a_dashboard_that_is_served_logs_json_and_is_watched(company: Company, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(company.url, log, MISSIONS_LOG="json", MISSIONS_METRICS_TOKEN="s3cret") as url:
        assert json.load(urllib.request.urlopen(f"{url}/health"))["migrations"] == "ok"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/metrics")
        asked = urllib.request.Request(f"{url}/metrics", headers={"Authorization": "Bearer s3cret"})
        assert b"missions_audit_rows_total" in urllib.request.urlopen(asked).read()
        form = f"name={NAME}&password={ADDRESS}&next=/{NAME}".replace(" ", "+").encode()
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(f"{url}/sign-in", form, {"Origin": url}))
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"{url}/_stcore/host-config/{ADDRESS}")
    told = log.read_text()
    lines = [line for line in told.splitlines() if not line.startswith("The dashboard")]
    assert "the dashboard is ready" in [json.loads(line)["message"] for line in lines]
    for canary in CANARIES:
        assert canary not in told.lower()
