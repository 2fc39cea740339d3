.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= demo

# Where nothing may keep bytecode, every process compiles all libraries again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-slow nightly lint proto bench error-rates lock clean

help:  ## Show what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Troth needs Python 3.11, 3.12 or 3.13; this is %d.%d. Try: make PYTHON=python3.11" % sys.version_info[:2] if not (3, 11) <= sys.version_info[:2] < (3, 14) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.installed  ## Run the whole loop on real data and write a report
	$(BIN)/troth demo --dir $(DEMO_DIR)

test: $(VENV)/.installed  ## Run the test suite
	$(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder -m "not slow" -q

test-slow: $(VENV)/.installed  ## Run the long simulations too
	$(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder -q

nightly: $(VENV)/.installed  ## Run everything, and write docs/test-results.md (for a scheduler)
	$(BIN)/python -m tests.nightly

lint: $(VENV)/.installed  ## Check style, types, imports and protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy experiments training server cli troth tests bench
	$(BIN)/lint-imports
	$(BIN)/python protos/check.py

proto: $(VENV)/.installed  ## Generate troth/v1 from protos/troth/v1
	$(BIN)/python protos/generate.py

.venv-peers/.installed: bench/peers.txt $(VENV)/.installed
	$(BIN)/python -m bench.peers
	@touch $@

bench: $(VENV)/.installed .venv-peers/.installed  ## Measure speeds and figures beside other libraries and bare floors
	$(BIN)/python -m bench.agreement
	.venv-peers/bin/python -m bench.analysis
	$(BIN)/python -m bench.assignment
	$(BIN)/python -m bench.serving
	$(BIN)/python -m bench.serving --offers 10000 --decisioning
	$(BIN)/python -m bench.kernels
	$(BIN)/python -m bench.allocation

error-rates: $(VENV)/.installed  ## Measure every error rate in full, and write docs/error-rates.md
	$(BIN)/python -m tests.experiments.error_rates

lock:  ## Resolve pyproject.toml again into requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.lock

clean:  ## Remove the environment and caches
	rm -rf $(VENV) .venv-peers .mypy_cache .pytest_cache .ruff_cache .hypothesis
