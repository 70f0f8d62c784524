# Everything here sets itself up: a machine needs Python >= 3.11, make and a package registry, no more.
#
#   make up [ARGS="--yes --port 18080"]   install, start, prove that a real model answers
#   make test [ARGS="-k chaos"]           everything that must hold; what CI runs
#   make test-clients [ARGS="--only openai"]  real client programs, from their registries, against a real server
#   make test-ray                         the adapter to Ray with real clusters on this machine; needs Linux
#   make docs                             the documentation site, in build/site; make docs-serve shows it while it is written
#   make explore [ARGS="--part unit"]     the same tests with other random examples in each run
#   make check                            its quick part: format, lint, types, import contracts, unit tests
#   make bench [ARGS="--quick"]           gglib beside nginx and Caddy, measured; needs nginx, caddy and wrk
#   make golden                           record the texts that tests compare with golden files anew
#   make bench-gate                       the hot path against the commit before, in one run
#   make hooks                            run the linters at each commit (pre-commit)
#   make module-tables                    write the tables of modules into the packages' READMEs
#   make access-table                     write the tables of docs/access.md from the table of routes
#   make import-tables                    write the tables of docs/import.md from the rules of the importers
#   make engine-options                   write the tables of docs/engine-options.md from the table of engine options
#   make grafana-dashboard                write the Grafana dashboard from the description of its panels
#   make diagrams                         write the diagrams of docs/architecture.md from the tables of states
#   make first-run-picture                draw docs/first-run.svg from a real first run; fetches the starter model
#   make terminal-transcripts             write docs/terminal.md from a real terminal; needs tmux, zsh and fish
#   make top-frames                       write docs/top.md: gglib top while models are swapped; needs tmux
#   make tune-transcripts                 write docs/tune.md: gglib tune with the starter model; needs tmux
#   make check-first-models               compare the list of first models with the hub
#   make web-check                        the page's types and its modules' tests; needs Node.js
#   make web-types                        write the page's types of the admin API
#   make page-screenshots                 write the pictures of the page in docs/page; needs Chromium
#   make vendor-web                       write the libraries of the web page from their npm packages; needs npm
#   make dist [ARGS="--check-tag"]        the source archive and the wheel of HEAD into dist/, checked
#   make lock                             refresh the pinned versions after a change in pyproject.toml

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Only what the lock files name, whatever the machine's own pip settings add; pip itself never talks.
PIP_IN := bin/python -m pip --disable-pip-version-check --quiet
PIP    := $(VENV)/$(PIP_IN)
RAY_VENV := .venv-ray
DOCS_VENV := .venv-docs
ARGS   ?=

.PHONY: up test test-clients test-ray docs docs-serve explore check format lint types contracts unit golden bench bench-gate hooks module-tables access-table import-tables engine-options grafana-dashboard diagrams first-run-picture terminal-transcripts top-frames tune-transcripts check-first-models web-packages web-check web-types vendor-web page-screenshots dist lock clean

up: $(VENV)/.ready-to-run
	@$(BIN)/gglib up $(ARGS)

test: lint types contracts web-packages
	@$(BIN)/python scripts/run_tests.py $(ARGS)

test-clients: $(VENV)/.ready-to-test
	@$(BIN)/python -m tests.clients $(ARGS)

# Ray and what it needs, 290 MB, in an environment of its own: nothing else may depend on it.
test-ray:
	@if $(MAKE) --silent --no-print-directory $(RAY_VENV)/.ready; then \
		$(RAY_VENV)/bin/python scripts/run_tests.py --part ray $(ARGS); \
	else echo "Ray cannot be installed here: its tests are skipped."; fi

# MkDocs and its theme, in an environment of their own: nothing else may depend on them.
docs:
	@if $(MAKE) --silent --no-print-directory $(DOCS_VENV)/.ready; then \
		$(DOCS_VENV)/bin/python -m scripts.docs_site.fetch_mermaid build/mermaid.min.js && \
		NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs --quiet build --strict && \
		$(DOCS_VENV)/bin/python -m scripts.docs_site.check_site build/site; \
	else echo "MkDocs cannot be installed here: the documentation site is not built."; fi

docs-serve: $(DOCS_VENV)/.ready
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs serve $(ARGS)

explore: $(VENV)/.ready-to-test
	@$(BIN)/python scripts/run_tests.py --profile explore $(ARGS)

check: lint types contracts unit

lint: $(VENV)/.ready-to-test
	@$(BIN)/ruff format --check --quiet . || { echo "Run 'make format'."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/codespell

types: $(VENV)/.ready-to-test
	@$(BIN)/mypy

contracts: $(VENV)/.ready-to-test
	@$(BIN)/lint-imports --no-logo

unit: $(VENV)/.ready-to-test
	@$(BIN)/python scripts/run_tests.py --part unit --profile dev $(ARGS)

golden: $(VENV)/.ready-to-test
	@$(BIN)/python -m pytest --record-golden -q $(ARGS)

format: $(VENV)/.ready-to-test
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

module-tables: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.module_tables $(ARGS)

access-table: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.access_table $(ARGS)

import-tables: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.import_tables $(ARGS)

engine-options: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.engine_options_table $(ARGS)

grafana-dashboard: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.grafana_dashboard $(ARGS)

diagrams: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.state_diagrams $(ARGS)

first-run-picture: $(VENV)/.ready-to-test
	@$(BIN)/python scripts/first_run_picture.py $(ARGS)

terminal-transcripts: $(VENV)/.ready-to-test
	@$(BIN)/python scripts/terminal_transcripts.py $(ARGS)

top-frames: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.top_frames $(ARGS)

tune-transcripts: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.tune_transcripts $(ARGS)

check-first-models: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.check_first_models $(ARGS)

# Types and accessibility rules for the tests of the page; without npm, or if they cannot be had, these are skipped.
web-packages:
	@if command -v npm >/dev/null; then $(MAKE) --silent --no-print-directory node_modules/.ready || \
		echo "npm cannot install the packages for the tests of the page: they are skipped."; fi

web-check: $(VENV)/.ready-to-test node_modules/.ready
	@$(BIN)/python scripts/run_tests.py --part web $(ARGS)

web-types: $(VENV)/.ready-to-test
	@$(BIN)/python scripts/web_types.py $(ARGS)

vendor-web: $(VENV)/bin/python
	@$(BIN)/python scripts/vendor_web.py $(ARGS)

page-screenshots: $(VENV)/.ready-to-test
	@$(BIN)/python -m scripts.page_screenshots $(ARGS)

bench: $(VENV)/.ready-to-test
	@$(BIN)/python -m bench.proxies $(ARGS)

bench-gate: $(VENV)/.ready-to-test
	@$(BIN)/python -m bench.gate $(ARGS)

hooks: $(VENV)/.ready-to-test
	@$(BIN)/pre-commit install

dist: $(VENV)/.ready-to-run
	@$(BIN)/python -m scripts.build_dist $(ARGS)

# A lock carries hashes for every platform and the address of no registry.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml
lock: $(VENV)/bin/python
	@$(PIP) install uv
	@$(LOCK) --group build -o requirements/run.lock
	@$(LOCK) --group build --group dev -c requirements/run.lock -o requirements/test.lock
	@$(LOCK) --extra ray -c requirements/test.lock -o requirements/ray.lock
	@$(LOCK) --group docs -c requirements/test.lock -o requirements/docs.lock

clean:
	rm -rf $(VENV) $(RAY_VENV) $(DOCS_VENV) build/site node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("gglib needs Python 3.11 or newer: make PYTHON=python3.12 ...") \
		if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-to-run: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing gglib (a first time takes a minute) ..."
	@$(PIP) install --require-hashes -r requirements/run.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-to-test: requirements/test.lock $(VENV)/.ready-to-run
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes -r requirements/test.lock
	@touch $@

$(RAY_VENV)/.ready: requirements/ray.lock requirements/test.lock requirements/run.lock pyproject.toml
	@echo "Installing Ray for its tests (a first time takes a minute) ..."
	@$(PYTHON) -m venv $(RAY_VENV)
	@$(RAY_VENV)/$(PIP_IN) install --require-hashes -r requirements/test.lock
	@$(RAY_VENV)/$(PIP_IN) install --require-hashes -r requirements/ray.lock
	@$(RAY_VENV)/$(PIP_IN) install --no-deps --no-build-isolation -e .
	@touch $@

$(DOCS_VENV)/.ready: requirements/docs.lock pyproject.toml
	@echo "Installing MkDocs for the documentation site (a first time takes a minute) ..."
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/$(PIP_IN) install --require-hashes -r requirements/docs.lock
	@$(DOCS_VENV)/$(PIP_IN) install --require-hashes -r requirements/run.lock
	@$(DOCS_VENV)/$(PIP_IN) install --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.ready: package.json package-lock.json .npmrc
	@echo "Installing what the tests of the page need ..."
	@npm ci --silent
	@touch $@
