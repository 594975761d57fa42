"""`make golden`: keep runs as this release leaves them, in tests/golden/VERSION.json.gz. Once a release, before its tag."""

import tomllib

from ledger.embedded import embedded_url
from ledger.records import Run
from settings import CHECKOUT
from systems.sandbox.loader import load_cases
from tests.actions import REALLOCATE_LINE, UPDATE_SHIPPING_ADDRESS
from tests.conftest import _database, _server_folder
from tests.golden.keeping import GOLDEN, keep
from tests.integration.live_company import Company, Meanwhile, case_of, opened

#: by which nothing in the file expires
_YEARS = 24 * 365 * 100


class _Gone(BaseException):
    """The process is gone, as far as the run can tell."""


def main() -> None:
    """Three runs: one waits, one waits after an edit, one was broken off after its second effect."""
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    with _database(embedded_url(_server_folder())) as url:
        with opened(url, proposal_hours=_YEARS) as company:
            company.propose("dev-ord-0031")
            edited = _beside(company, "dev-ord-0010")
            plan = [dict(action) for action in company.proposal(edited).plan]
            company.decide(edited, "edit", "rita", plan=[one for one in plan if one["name"] != UPDATE_SHIPPING_ADDRESS])
            broken = _beside(company, "dev-ord-0099")

            def gone() -> None:
                raise _Gone

            try:
                with company.writes_through(Meanwhile(company, REALLOCATE_LINE, gone)):
                    company.approve(broken)
            except _Gone:
                assert company.ledger.run(broken.run_id).status == "running"
        keep(url, GOLDEN / f"{version}.json.gz")


def _beside(company: Company, case: str) -> Run:
    """Take a case in beside those that are in the sandbox company already."""
    assert load_cases(company.url, [case_of(case)]).refused == {}
    return company.take_in(case)


if __name__ == "__main__":
    main()
