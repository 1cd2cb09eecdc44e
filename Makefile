# make demo: a leaderboard from scratch. make test: every quick test. Both install what they need.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SUITE ?= digits
BENCH_ARGS ?=

# On Linux, PyPI's torch and its CUDA libraries take 5.5 GB. A laptop is better served by
#   make demo TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
TORCH_INDEX_URL ?=

# Quick tests run side by side, a file a core: each has one thread. The slow ones run one after the
# other, for some of them compare speeds.
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)

# Tests run in random order. The command that make prints names the seed of it: make test SEED=1234
# runs them in the same order again, if WORKERS is the same too.
SEED := $(or $(SEED),$(shell date +%s))

# Every table and figure of a paper in its small form: make demo-all PAPER=labor for LABOR's. Raw
# files are downloaded where that is possible, or read from BENCH_MIRROR.
PAPER ?= bade
SMALL := $(sort $(basename $(notdir $(wildcard benchmarks/suites/$(PAPER)_*_small.yaml))))
SMALL += $(if $(filter bade,$(PAPER)),digits colored_mnist)

KILLS ?= 40
FUZZ ?= 200

.PHONY: demo demo-all test test-all kill fuzz container-test lint format bench-speed repro pins audit clean help

help:
	@echo "make demo         run --suite $(SUITE) and build its pages"
	@echo "make demo-all     every table and figure of BaDe (PAPER=labor: of LABOR) in its small form"
	@echo "make test         quick tests, lint and types"
	@echo "make test-all     every test, the slow ones too"
	@echo "make kill         kills sweeps, their helpers and trials at random moments (KILLS=$(KILLS))"
	@echo "make fuzz         damaged and hostile inputs made up at random (FUZZ=$(FUZZ) a target)"
	@echo "make bench-speed  training throughput beside a plain DataLoader loop"
	@echo "make repro        dvc repro over the suites of params.yaml"
	@echo "make pins         lists of hashes for the container, from constraints.txt"
	@echo "make audit        known holes in what the container installs"

demo: $(INSTALLED)
	$(BIN)/bench --suite $(SUITE) $(BENCH_ARGS)
	@echo
	@echo "Leaderboard: file://$(CURDIR)/site/$(SUITE)/index.html"
	@echo "All suites:  file://$(CURDIR)/site/index.html"
	@echo "MLflow:      $(BIN)/bench ui"

# A trial that fails is shown on the page (code 1); anything else ends the loop with its code.
demo-all: $(INSTALLED)
	@for suite in $(SMALL); do \
	  code=0; $(BIN)/bench --suite $$suite --no-report $(BENCH_ARGS) || code=$$?; \
	  [ $$code -le 1 ] || exit $$code; \
	done
	$(BIN)/bench report
	@echo "All suites:  file://$(CURDIR)/site/index.html"

test: $(INSTALLED) lint
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder \
	  --randomly-seed $(SEED)

test-all: $(INSTALLED) lint
	$(BIN)/python -m pytest -m "slow or not slow" --timeout 3600 --randomly-seed $(SEED)

kill: $(INSTALLED)
	KILLS=$(KILLS) $(BIN)/python -m pytest tests/runner/test_kills.py -m "slow or not slow" \
	  --timeout 7200 -p no:randomly

fuzz: $(INSTALLED)
	FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz -n $(WORKERS) --maxprocesses 8 --timeout 7200 \
	  -p no:randomly --hypothesis-show-statistics

container-test: $(INSTALLED)
	$(BIN)/python -m pytest tests/test_container.py -m "slow or not slow" --timeout 3600

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-speed: $(INSTALLED)
	$(BIN)/python -m bench.speed.training
	$(BIN)/python -m bench.speed.memory
	$(BIN)/python -m bench.speed.perception

repro: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro

# What the container installs, by SHA-256: written anew from pyproject.toml and constraints.txt.
TOOLS := build/tools
pins: $(TOOLS)/.installed
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" $(TOOLS)/bin/python requirements/update.py

# Known holes in those packages (gpu.txt has the torch that the index of holes knows), and their list.
AUDIT = $(TOOLS)/bin/pip-audit --disable-pip --require-hashes --progress-spinner off \
  $(foreach list,build common gpu postgres,--requirement requirements/$(list).txt)
audit: $(TOOLS)/.installed
	mkdir -p build/audit
	$(AUDIT) --format cyclonedx-json --output build/audit/packages.cdx.json || true
	$(AUDIT) --strict

$(TOOLS)/.installed: requirements/tools.txt
	test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --require-hashes --no-deps --requirement requirements/tools.txt
	touch $@

clean:
	rm -rf results site data

# Written last, so that an interrupted installation is done again; pip runs only when a pin changed.
$(INSTALLED): pyproject.toml constraints.txt
	test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX_URL),$(BIN)/pip install --index-url $(TORCH_INDEX_URL) -c constraints.txt torch torchvision)
	$(BIN)/pip install -c constraints.txt -e ".[test]"
	touch $@
