# Each target is a thin line over `python -m institute_lib …` or a standard tool; README says the same for computers
# without make. Any target may be the first command ever run: each sets up what it needs, and setting up twice is free.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
TESTING := $(VENV)/testing
QUARTER ?= 2025Q4

.DEFAULT_GOAL := help
.PHONY: help setup report test lab check bench bench-large coverage clean clean-all requirements

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The environment: pinned and hashed packages, compiled to bytecode (imports cost three times as much without).
# Running needs fewer than testing does.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -m institute_lib setup
	@touch $@

$(TESTING): $(READY) tests/requirements.txt tests/data-packages.txt
	@$(PYTHON) -m institute_lib setup --tests
	@touch $@

setup: $(READY)  ## create or update the environment (.venv)
	@echo "$(VENV) is ready"

report: $(READY)  ## set up, write the demo registers, run the quarterly plan, print where to look
	@$(BIN)/python -m institute_lib report $(QUARTER)

# Three at once on two processors: much of the time a test waits for a kernel, a browser or a disk.
test: $(TESTING)  ## set up and run all tests
	@$(BIN)/python tests/browser/chromium.py
	@$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder

lab: $(READY)  ## open JupyterLab on the notebooks
	@$(BIN)/python -m institute_lib lab

check: $(TESTING)  ## lint, format and type hints, without changing anything
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(TESTING)  ## benchmarks, as ratios against a peer in the same run
	@$(BIN)/python -m tests.bench $(filter-out bench,$(MAKECMDGOALS))

# `make bench office`: one benchmark; it installs LibreOffice where it can, to save templates through it.
office: ;

bench-large: $(TESTING)  ## 50 million person-quarters from Parquet, beside 5 million and one scan of the file
	@$(BIN)/python -m tests.bench hazard --large

COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --quiet
requirements: $(TESTING)  ## compile both requirements.txt anew from pyproject.toml
	@$(COMPILE) --extra cluster --extra setup -o requirements.txt
	@$(COMPILE) --all-extras -o tests/requirements.txt

coverage: $(TESTING)  ## run all tests and print which lines of the library none of them runs
	@$(BIN)/python tests/browser/chromium.py
	@$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder --cov=institute_lib --cov-report=term-missing:skip-covered

# Neither removes what cannot be made again: registers, keys, and with `clean` no brief, release or record either.
clean:  ## remove the environment, caches and demo registers; runs, releases and records stay
	rm -rf $(VENV) .cache data/demo/*.parquet data/demo/truth.toml

clean-all:  ## after a question: the runs too, with all releases and their record
	@printf '%s' "Remove every run in papermill_runs, all releases and their record? Type yes: "; \
	read answer; test "$$answer" = yes || { echo "nothing was removed"; exit 1; }
	@$(MAKE) --no-print-directory clean
	rm -rf papermill_runs/2* papermill_runs/releases
