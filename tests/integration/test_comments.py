"""A comment or a blank line says nothing: it makes no other version, and no incident of a run that is paused."""

import re
import shutil
from pathlib import Path

from graphs.pack_files import load_packs
from knowledge_index.drafting import content_digest
from knowledge_index.policies import REFERENCE_POLICIES, PolicyBook
from settings import CHECKOUT
from systems.catalogue import Catalogue
from tests.engine import PACKS
from tests.integration.live_company import Company
from tests.reference import SCHEMA

pytest_plugins = ["tests.integration.live_company"]


def commented(text: str) -> str:
    """A YAML file with a remark and a blank line before each entry, and remarks behind others."""
    return re.sub(r"(?m)^(?=[a-z_]+:)", "# a remark\n\n", re.sub(r"(?m)^(\w+: [\w ]+)$", r"\1  # another", text))


def test_a_comment_or_a_blank_line_makes_no_incident_of_a_paused_run(company: Company, tmp_path: Path) -> None:
    run, context = company.propose("dev-ord-0007"), company.runtime.context
    actions = tmp_path / "actions.yaml"
    actions.write_text(commented((CHECKOUT / "systems" / "actions.yaml").read_text("utf-8")), "utf-8")
    policies = Path(shutil.copytree(REFERENCE_POLICIES, tmp_path / "policies"))
    for file in policies.glob("[A-Z][A-Z][A-Z].md"):
        text = file.read_text("utf-8").replace("```yaml values\n", "```yaml values\n# a remark\n\n")
        file.write_text(text.replace("\n---\n", "  # the end\n---\n", 1).replace("\n\n## ", "\n\n\n## "), "utf-8")
    packs = tmp_path / "packs"
    packs.mkdir()
    for file in PACKS.glob("*.yaml"):
        (packs / file.name).write_text(commented(file.read_text("utf-8")), "utf-8")
    catalogue, book = Catalogue.load([actions], SCHEMA), PolicyBook.load(policies)
    loaded = load_packs(packs, catalogue, book)
    assert catalogue.digest == context.catalogue.digest
    assert {name: pack.digest for name, pack in loaded.items()} == {name: pack.digest for name, pack in context.packs.items()}
    assert book.period(run.event.as_of).digest == context.policies.period(run.event.as_of).digest
    before = {one.id: content_digest(one) for one in PolicyBook.load(REFERENCE_POLICIES).documents}
    assert {one.id: content_digest(one) for one in book.documents} == before
    context.catalogue, context.policies, context.packs = catalogue, book, loaded
    done = company.decide(run, "approve", "rita")
    assert (done.status, done.outcome) == ("closed", "executed")
