# What can be done here. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help run test unit check fmt lock docs bench bench-operator clean setup setup-dev servers crash race cluster cluster-down

BIN := .venv/bin
RUN_STAMP := .venv/.run-ready
DEV_STAMP := .venv/.dev-ready

help: ## List what can be done
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: $(RUN_STAMP) ## Set up, then carry out the example order and print its result
	@$(BIN)/aicompany run examples/company.yaml examples/orders/release-notes.yaml

test: $(DEV_STAMP) servers check ## Set up, then run all checks and tests
	@PYTHONUNBUFFERED=1 $(BIN)/python -m pytest

unit: $(DEV_STAMP) ## Only the quick tests
	@$(BIN)/python -m pytest tests/unit tests/house

crash: $(DEV_STAMP) ## Only the crash test
	@$(BIN)/python -m pytest -s tests/crash

faults: $(DEV_STAMP) ## The long fault test: 100,000 orders, a fault every two seconds
	@FAULTS_ORDERS=$${FAULTS_ORDERS:-100000} $(BIN)/python -m pytest -s tests/faults

check: $(DEV_STAMP) ## Lint, formatting, types, import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

fmt: $(DEV_STAMP) ## Format the code
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: $(DEV_STAMP) servers ## Measure, and print each figure beside its goal
	@for bench in store company model footprint broker rate_limits; do $(BIN)/python -m bench.$$bench || exit 1; done

bench-operator: $(DEV_STAMP) servers ## Measure the operator: with 300 and 1,000 companies, and with real pods; half an hour
	@$(BIN)/python -m bench.operator --companies 300 --steady-seconds 600
	@$(BIN)/python -m bench.operator --companies 1000 --steady-seconds 60
	@$(BIN)/python -m bench.pods

race: $(DEV_STAMP) servers ## Race our worker against Celery, Dramatiq, FastStream and Taskiq
	@$(BIN)/python -m bench.peers --write

docs: $(DEV_STAMP) ## Write the generated pages of docs/reference anew
	@$(BIN)/python -m aicompany_desk.reference docs/reference
	@$(BIN)/python -m aicompany_operator.reference docs/reference
	@$(BIN)/python -m aicompany_operator.crd crds

lock: $(DEV_STAMP) ## Lock the dependencies anew, as pyproject.toml asks for them
	@scripts/lock

clean: ## Forget the environment and all caches
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

servers: ## Only install the servers that tests run against (Debian, root)
	@scripts/servers

cluster: $(DEV_STAMP) ## Bring up a Kubernetes for tests: kind, else plain processes (Debian, root)
	@$(BIN)/python -m tests.cluster trial

cluster-down: $(DEV_STAMP) ## Remove it
	@$(BIN)/python -m tests.cluster down

setup: $(RUN_STAMP) ## Only set up what `make run` needs

setup-dev: $(DEV_STAMP) ## Only set up what the other targets need

$(RUN_STAMP): requirements/run.lock pyproject.toml scripts/setup
	@scripts/setup run

$(DEV_STAMP): requirements/dev.lock pyproject.toml scripts/setup
	@scripts/setup dev
