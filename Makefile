# Everything runs in .venv, made from requirements.lock; tests add requirements-dev.lock. Paths are relative, so that the checkout may lie anywhere.
PYTHON ?= python3
BIN := .venv/bin
CASES := $(wildcard evals/cases/*_*.jsonl)
.DEFAULT_GOAL := help
SHELL := bash
# pip, with a line that shows how far it is: PIP LOCK [BIN]; a lock names all that is needed, and what is imported is compiled then
PIP = set -o pipefail; $(or $(2),$(BIN))/python -m pip install --disable-pip-version-check --progress-bar off --no-compile --no-deps --require-hashes -r $(1) | \
  awk '/^(Collecting|Requirement already)/ { printf "\r  %d packages", ++n; fflush() } \
  /^Installing/ { printf "\r  %d packages, unpacking\n", n; fflush() }'
# what is compiled once is kept, whatever the environment says: tests and commands start many processes
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help install install-dev run test slow browser systems shop erp attack attack-short notebooks notebooks-write studio golden chaos chaos-short check eval schema pictures screenshots bench sbom lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 17

# made again when the lock changes; the mark is written last, so that an interrupted installation is done again
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("missions: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with make PYTHON=...") if sys.version_info < (3, 11) else None'
	@echo "Installing into .venv (once; a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(call PIP,requirements.lock)
	@# compat: a path that type checkers follow, too; what is a package by now need not be installed again
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@touch .venv/installed

# what tests and checks need besides, in the same versions
.venv/tests: requirements-dev.lock .venv/installed
	@echo "Installing what the tests need ..."
	@$(call PIP,requirements-dev.lock)
	@touch .venv/tests

install: .venv/installed  ## make .venv from requirements.lock

install-dev: .venv/tests  ## and what the tests and `langgraph dev` need, from requirements-dev.lock

run: install  ## set up, run a Mission on each of a sample of exceptions, open the dashboard (Ctrl-C stops it)
	@$(BIN)/python -m cli start

test: install-dev  ## every test that is quick and needs no browser; ALL=1: those that take long, and attack-short, too
	@$(BIN)/python -m pytest -n 3 --dist worksteal --ignore tests/browser --ignore tests/systems $(if $(ALL),-m "not slow or not promise",--ignore tests/attacks)

slow: install-dev  ## those that take long: a model that does its worst on every exception, the tutorial, Ray, a killed batch
	@$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/browser --ignore tests/systems --ignore tests/attacks -m slow

browser: install-dev  ## the dashboard in a real Chromium
	@$(BIN)/python -m pytest -n 2 --dist worksteal tests/browser

systems: install-dev  ## real systems of others, where they are installed: `make shop`, `make erp`
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/systems

# with packages of its own, by npm
.shop/installed: systems/connectors/medusa/project/package-lock.json
	@$(BIN)/python -m tests.systems.medusa install
	@touch .shop/installed

shop: install-dev .shop/installed  ## install Medusa, a real shop (needs Node.js 20; 700 MB), make its company, and run it (Ctrl-C stops it)
	@$(BIN)/python -m tests.systems.medusa

# with packages of its own: Missions reach it over MCP alone
ERP := systems/connectors/tryton
.venv-erp/installed: $(ERP)/requirements.lock $(ERP)/web/package-lock.json
	@echo "Installing Tryton into .venv-erp ..."
	@$(PYTHON) -m venv .venv-erp
	@$(call PIP,$(ERP)/requirements.lock,.venv-erp/bin)
	@cp -R $(ERP)/web .venv-erp/
	@if command -v npm >/dev/null; then cd .venv-erp/web && npm ci --install-strategy=nested --ignore-scripts --no-audit --no-fund --loglevel=error; \
	  else echo "There is no npm on the PATH, so Tryton comes without its web client."; fi
	@touch .venv-erp/installed

erp: install-dev .venv-erp/installed  ## install Tryton, a real ERP, make its company, and run it (Ctrl-C stops it)
	@$(BIN)/python -m tests.systems.tryton

attack: install-dev  ## try to break every promise, print what held, and list it in docs/attacks.md
	@$(BIN)/python -m pytest -n 2 --dist worksteal tests/attacks -m "slow or not slow" --attacks-to docs/attacks.md

attack-short: install-dev  ## the same without the attacks that take long
	@$(BIN)/python -m pytest -n 2 --dist worksteal tests/attacks

notebooks: install-dev  ## run the notebooks of analysts from top to bottom
	@$(BIN)/python -m pytest --nbmake --nbmake-timeout=120 -n 2 notebooks

notebooks-write: install-dev  ## run them, and keep what they show
	@$(BIN)/python -m tests.notebooks

chaos: install-dev  ## break everything that breaks, and count what must be 0
	@$(BIN)/python -m tests.chaos

chaos-short: install-dev  ## the same with fewer of everything and a fixed seed
	@$(BIN)/python -m tests.chaos --short --seed 0

check: install-dev  ## format, lint, types, import rules, names, and whether the pictures of the docs are as the code is
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.house
	@$(BIN)/python -m tests.pictures --check

studio: install-dev  ## serve the graph to the clients of LangGraph (docs/studio.md); it asks its maker nothing
	@LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=1 LANGSMITH_TRACING=false $(BIN)/langgraph dev --no-browser --no-reload

schema: install-dev  ## write ledger/schema.json, which `missions audit verify` compares the database with, from the migrations
	@$(BIN)/python -m tests.schema

pictures: install-dev  ## draw the pictures of docs/architecture.md again, from the code
	@$(BIN)/python -m tests.pictures

golden: install-dev  ## keep paused runs of this release, which later releases resume in their tests
	@$(BIN)/python -m tests.golden

eval: install  ## run the recorded exceptions, print the figures and hold them to evals/baseline.jsonl
	@mkdir -p build
	@$(BIN)/python -m cli eval $(CASES) $(foreach set,first second third,--phrasings evals/phrasings/$(set)/support) --out build/results.jsonl --reasoner planner
	@$(BIN)/python -m cli eval gate --baseline evals/baseline.jsonl

screenshots: install-dev  ## take the pictures of docs/ again (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots

bench: install-dev  ## speed and memory beside a baseline of the same run, in a company of its own
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && export MISSIONS_HOME="$$home" && unset DATABASE_URL && \
	  $(BIN)/python -m cli start --no-dashboard >/dev/null && $(BIN)/python -m tests.bench.missions && $(BIN)/python -m tests.bench.batch && \
	  $(BIN)/python -m tests.bench.dashboard && $(BIN)/python -m tests.bench.history && $(BIN)/python -m tests.bench.systems

sbom: install-dev  ## what an installation for use is made of, in build/: CycloneDX with hashes, and the licenses, which must be allowed
	@mkdir -p build
	@$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml --mc-type application --output-reproducible --of JSON -o build/sbom.cdx.json
	@$(BIN)/python -m tests.licenses

COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock:  ## write all locks again (needs uv); the tests run what is installed for use
	@$(COMPILE) --group dev --extra ray -o requirements-dev.lock
	@$(COMPILE) --group build -c requirements-dev.lock -o requirements.lock
	@$(subst pyproject.toml,$(ERP)/requirements.in,$(COMPILE)) -o $(ERP)/requirements.lock

clean: ## remove .venv, build output and this checkout's data
	@test ! -x $(BIN)/python || $(BIN)/python -m cli clean
	@rm -rf .venv .venv-erp .shop build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
