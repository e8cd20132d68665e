# Everything a developer does with the project. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

# A failure anywhere in a pipe is a failure.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

# Each gate is one target, which `make check`, CI and the hooks of pre-commit call. The quickest come first.
GATES := lint layers pins dead-code secrets types terraform

# What checks the Terraform. Nothing else needs it, and CI does not do without.
TERRAFORM := $(shell command -v terraform tofu)

# Runs a gate's command: one line if it passes; its whole output, and its exit status, if it fails.
define gate
@output=$$($(1) 2>&1) || { status=$$?; printf '%s\n' "$$output"; exit $$status; }; echo "$@: passed"
endef

.DEFAULT_GOAL := help
.PHONY: help install demo test check $(GATES) hooks simulate bench conformance bad-day docs requirements provider-schema bundles clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## create .venv with the pinned dependencies and the command milvus-l7

$(INSTALLED): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED) ## one message puts a real Milvus behind a Layer-7 load balancer (CERT=google-managed; KEEP=1 leaves it running; SLOW=1 waits as on Google Cloud)
	@$(PY) -m demo $(if $(KEEP),--keep) $(if $(CERT),--certificate $(CERT)) $(if $(SLOW),--real-time)

test: $(INSTALLED) ## everything that CI runs: checks, then all tests
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest -n 3 --dist worksteal --ignore tests/e2e
	@$(PY) -m pytest tests/e2e

check: $(GATES) ## every gate: lint, layers, pins, dead code, secrets, types, Terraform (-k goes on after a failure)

lint: $(INSTALLED) ## format and lint
	$(call gate,$(VENV)/bin/ruff format --check . && $(VENV)/bin/ruff check .)

layers: $(INSTALLED) ## directions of import
	$(call gate,$(VENV)/bin/lint-imports --no-logo)

pins: $(INSTALLED) ## requirements.txt files that are not what pyproject.toml says
	$(call gate,$(PY) -m infra.requirements --check)

dead-code: $(INSTALLED) ## code that nothing uses; what only seems so is in .ci/dead_code_allowed.py
	$(call gate,$(VENV)/bin/vulture)

secrets: $(INSTALLED) ## keys and passwords in any file
	$(call gate,.ci/find-secrets $(VENV)/bin/detect-secrets-hook)

types: $(INSTALLED) ## annotations
	$(call gate,$(VENV)/bin/mypy)

terraform: $(INSTALLED) ## format, arguments and tests of the Terraform, if terraform or tofu is on the path
ifdef TERRAFORM
	$(call gate,$(PY) -m infra.offline)
else
	@echo "$@: NOT CHECKED, because neither terraform nor tofu is on the path"; test -z "$${CI:-}"
endif

hooks: $(INSTALLED) ## let git run the gates before every commit
	@$(VENV)/bin/pre-commit install

simulate: $(INSTALLED) ## random histories of the engine, with every fault at every call (SEEDS=1000, FIRST=0)
	@$(PY) -m tests.simulation $(or $(SEEDS),1000) $(or $(FIRST),0)

bench: $(INSTALLED) ## cold start, memory and warm time of each function
	@$(PY) -m tests.bench

conformance: $(INSTALLED) ## the contract suites and the demo against real servers, as far as this machine has them
	@$(PY) -m tests.conformance

bad-day: $(INSTALLED) ## the end-to-end tests while everything happens that real controllers do now and then
	@BAD_DAY=1 $(PY) -m pytest tests/e2e

docs: $(INSTALLED) ## write docs/*.schema.json, docs/reasons.md and docs/fidelity.md from the code
	@$(PY) -c 'import json; from milvus_l7.domain.request.request import json_schema; print(json.dumps(json_schema(), indent=2))' > docs/request.schema.json
	@$(PY) -c 'import json; from milvus_l7.domain.request.request import TearDownRequest, json_schema; print(json.dumps(json_schema(TearDownRequest), indent=2))' > docs/teardown.schema.json
	@$(PY) -m milvus_l7.domain.reasons.table > docs/reasons.md
	@$(PY) -m tests.fidelity

requirements: $(INSTALLED) ## write the requirements.txt files from pyproject.toml
	@$(PY) -m infra.requirements

provider-schema: $(INSTALLED) ## write what the google provider takes, from a package that describes it
	@$(PY) -m infra.offline.schema

bundles: $(INSTALLED) ## package the functions for deployment into dist/
	@$(PY) -m infra.bundle dist

clean: ## remove everything that the targets above made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
