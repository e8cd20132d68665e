# Everything a developer does with the project. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench docs bundles clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## create .venv with the pinned dependencies and the command milvus-l7

$(INSTALLED): requirements.txt requirements-cli.txt requirements-dev.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(INSTALLED) ## one message puts a real Milvus behind a Layer-7 load balancer (CERT=google-managed; KEEP=1 leaves it running; SLOW=1 waits as on Google Cloud)
	@$(PY) -m demo $(if $(KEEP),--keep) $(if $(CERT),--certificate $(CERT)) $(if $(SLOW),--real-time)

test: $(INSTALLED) ## everything that CI runs: checks, then all tests
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest

check: $(INSTALLED) ## format, lint, types, layers, secrets
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo 2>&1 | tail -n 4

bench: $(INSTALLED) ## cold start, memory and warm time of each function
	@$(PY) -m tests.bench

docs: $(INSTALLED) ## write docs/*.schema.json and docs/reasons.md from the code
	@$(PY) -c 'import json; from shared.domain.request import json_schema; print(json.dumps(json_schema(), indent=2))' > docs/request.schema.json
	@$(PY) -c 'import json; from shared.domain.request import TearDownRequest, json_schema; print(json.dumps(json_schema(TearDownRequest), indent=2))' > docs/teardown.schema.json
	@$(PY) -m shared.domain.reason_table > docs/reasons.md

bundles: $(INSTALLED) ## package the functions for deployment into dist/
	@$(PY) -m infra.bundle dist

clean: ## remove everything that the targets above made
	rm -rf $(VENV) dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
