"""The one reader of the environment."""

import hashlib
import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from errors import BadInput

#: The checkout that this project runs from.
CHECKOUT = Path(__file__).resolve().parent
SHIPPED_POLICIES = CHECKOUT / "knowledge_index" / "policies"


#: setting -> what it is called in the folder of a company
_OF_A_COMPANY = {
    "systems": "systems.yaml", "packs": "packs", "policies": "policies", "phrasings": "phrasings", "sources": "sources",
    "outgoing": "outgoing.yaml", "cases": "cases",
}  # fmt: skip


class Settings(BaseSettings):
    """Settings by environment variable; what is not set runs on this machine alone."""

    model_config = SettingsConfigDict(env_prefix="MISSIONS_", frozen=True)

    #: the folder of a company: systems.yaml, packs/, policies/, and phrasings/, sources/, outgoing.yaml, cases/ where it has them
    company: Path | None = None
    #: folder for the embedded database and the knowledge index; no space in its path
    home: Path = Field(default_factory=lambda given: default_home(given.get("company")))
    #: a PostgreSQL of your own; empty: the embedded one
    database_url: str = Field(default="", validation_alias="DATABASE_URL", repr=False)
    #: the logins of its roles, as `missions database roles --logins` writes them
    database_logins: Path | None = None
    #: which MCP server each system is
    systems: Path = CHECKOUT / "systems" / "systems.yaml"
    #: who is told of what happens; without it nobody is
    outgoing: Path | None = None
    #: how what other software sends becomes events, a file for each source
    sources: Path = CHECKOUT / "systems" / "sources"
    policies: Path = SHIPPED_POLICIES
    packs: Path = CHECKOUT / "graphs" / "packs"
    #: recorded exceptions, a file a Mission, which are replayed where no others are named
    cases: Path = CHECKOUT / "evals" / "cases"
    #: example phrasings by which messages are understood, a folder for each kind
    phrasings: Path = CHECKOUT / "knowledge_index" / "phrasings"
    #: hours for which a proposal can be approved
    proposal_hours: float = Field(default=72.0, gt=0)
    #: days that the as_of of an event of a file or a feed may lie back, where its feed says nothing else
    as_of_days: int = Field(default=1, ge=0, le=36_500)
    #: minutes that a person needs to work on an exception by hand, and to decide about a proposal: of backtests
    minutes_by_hand: float = Field(default=12.0, ge=0, le=10_000)
    minutes_to_decide: float = Field(default=2.0, ge=0, le=10_000)
    #: seconds without a sign of life after which another process takes a run over
    lease_seconds: float = Field(default=30.0, gt=0)

    #: who makes proposals: planner, llm or hybrid; empty: hybrid where a model is set, planner where none is
    reasoner: Literal["", "planner", "llm", "hybrid"] = ""
    #: a language model, as its server calls it; empty: no model is asked anything
    model: str = ""
    #: an OpenAI-compatible server, ending in /v1, say; empty: that of OpenAI
    model_url: str = Field(default="", repr=False)
    model_key: SecretStr = SecretStr("")
    #: how an answer is made to be JSON; auto tries them in this order
    model_structure: Literal["auto", "json_schema", "tools", "json"] = "auto"
    #: seconds for one question, all its tries and waiting together
    model_seconds: float = Field(default=45.0, gt=0, le=600)
    #: of one answer
    model_max_tokens: int = Field(default=2_000, ge=100, le=32_000)
    #: tokens that one run, and all of a day (UTC), may take
    model_run_tokens: int = Field(default=60_000, ge=0)
    model_day_tokens: int = Field(default=2_000_000, ge=0)
    #: US cents that a day (UTC) may cost, where prices are given; 0: no limit
    model_day_cents: float = Field(default=0.0, ge=0)
    #: US cents for a million tokens that a model reads, and writes
    model_price_input: float = Field(default=0.0, ge=0)
    model_price_output: float = Field(default=0.0, ge=0)
    prompts: Path = CHECKOUT / "models" / "prompts"
    #: of what a model writes to customers, where their pack says nothing else
    tone: str = Field(default="friendly, brief, without jargon", max_length=500)

    #: who drives runs after a decision: the dashboard itself, or `missions worker` elsewhere
    workers: Literal["here", "elsewhere"] = "here"

    #: where the dashboard listens; an address of this machine alone unless somebody says otherwise
    address: str = "127.0.0.1"
    port: int = Field(default=8501, ge=1, le=65535)
    #: other hosts by which browsers ask for it, as those of a proxy before it: "missions.example, missions.example:8443"
    hosts: str = ""
    #: addresses of the proxies before it, whose X-Forwarded-For is believed; nobody else's is
    proxies: str = ""
    #: hours for which somebody stays signed in
    session_hours: float = Field(default=10.0, gt=0)
    #: roles that sign in with codes of an app besides: "finance, administrator"
    second_factor: str = ""
    #: how the dashboard and the portal call themselves, and look
    brand_name: str = "Missions"
    brand_logo: Path | None = None
    brand_color: str = Field(default="", pattern="^(#[0-9a-fA-F]{6})?$")

    #: an OpenID Connect provider by which people sign in, in place of local accounts
    oidc_metadata_url: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    #: as registered at the provider, ending in /oauth2callback; from address and port unless given
    oidc_redirect_uri: str = ""
    #: signs the cookie of whoever signed in at the provider
    cookie_secret: SecretStr = SecretStr("")

    #: bearer token of `/metrics`; without one it is read from this machine alone
    metrics_token: SecretStr = SecretStr("")
    #: "json" for one JSON object a line, without personal data
    log: Literal["text", "json"] = "text"

    #: days for which checkpoints are kept of a run that is closed, and dead letters that are settled
    retention_days: float = Field(default=30.0, ge=0, le=36_500)
    #: private Ed25519 key (PEM) that signs exports of the audit log; made in the home at the first export
    audit_key: Path | None = None
    #: a folder in which heads of the audit log are kept as it grows; it must be there, for a share that is not mounted is none
    audit_heads: Path | None = None
    #: a command that takes each of these heads, as JSON, from its standard input
    audit_heads_command: str = Field(default="", repr=False)

    #: a Ray cluster on which evaluations run; empty: this machine
    ray_address: str = Field(default="", validation_alias="RAY_ADDRESS")

    #: of `missions sign-in`, for scripts
    password: SecretStr = SecretStr("")
    #: whether a build server runs this: then `missions start` ends by itself
    ci: str = Field(default="", validation_alias="CI")

    @model_validator(mode="before")
    @classmethod
    def _of_the_company(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What is not named by a variable of its own stands in the folder of the company."""
        if not given.get("company"):
            return {**given, "company": None}
        folder = Path(given["company"]).resolve()
        there = {name: folder / file for name, file in _OF_A_COMPANY.items() if name != "outgoing" or (folder / file).exists()}
        return {**there, **given, "company": folder}

    @property
    def reasoner_name(self) -> str:
        """Who makes proposals: "planner", "llm" or "hybrid"."""
        return self.reasoner or ("hybrid" if self.model else "planner")

    @property
    def second_factor_roles(self) -> frozenset[str]:
        """The roles that sign in with a second factor."""
        return frozenset(role.strip() for role in self.second_factor.split(",")) - {""}

    @property
    def policy_folders(self) -> tuple[Path, ...]:
        """The folders of policies; of one name the last file counts, and new ones go to the last, which is no checkout."""
        return (self.policies, self.home / "policies") if self.policies == SHIPPED_POLICIES else (self.policies,)

    @property
    def knowledge(self) -> Path:
        """Folder of the Chroma index."""
        return self.home / "knowledge"

    @property
    def language(self) -> Path:
        """Folder of what was learned from phrasings."""
        return self.home / "language"

    @property
    def audit_signing_key(self) -> Path:
        """File of the private key that signs exports of the audit log."""
        return self.audit_key or self.home / "keys" / "audit.pem"

    @property
    def postgres(self) -> Path:
        """Folder of the embedded database."""
        return self.home / "postgres"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process. Raises BadInput that names a variable that is not as it must be."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise BadInput(f"MISSIONS_{name.upper()}: {first['msg']}; fix the variable or unset it") from error


@lru_cache(maxsize=1)
def company_currency() -> str:
    """The currency of the amounts that policies name, as `systems.yaml` says; US dollars where that says none or is not there."""
    try:
        said = re.search(r"^currency:[ \t]*[\"']?([A-Z]{3})\b", settings().systems.read_text("utf-8"), re.MULTILINE)
    except (OSError, ValueError, BadInput):  # whoever loads it says so
        said = None
    return said[1] if said else "USD"


def default_home(company: Path | None = None) -> Path:
    """A folder of this checkout, and company, in the user's data folder: one does not meet the data of another.

    As root it lies outside the home, because the embedded database opens every parent folder of its data to others.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        base = Path("/var/lib/missions")
    elif sys.platform == "darwin":  # "Application Support" has a space, which the embedded database does not bear
        base = Path.home() / ".missions"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "missions"
    whose = str(CHECKOUT) if company is None else f"{CHECKOUT}\n{company}"
    return base / hashlib.sha256(whose.encode()).hexdigest()[:8]
