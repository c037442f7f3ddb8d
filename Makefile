# `make` lists what one can do. Every target makes .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Most tests wait for real timers, so more of them can run at a time than there are cores.
WORKERS ?= 4
# Hundreds of processes start in the tests: without this, where it is set, each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help lab demo browser faketime test planted faults soak fuzz lint format proto gallery notebooks docs bench bench-quick scaling figures clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dfslab needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(READY)

lab: $(READY) ## open Jupyter at the quickstart
	$(BIN)/jupyter notebook notebooks/01_quickstart.ipynb

demo: $(READY) ## the main job in a terminal: store, replicate, kill, repair, download
	$(BIN)/dfslab demo

browser: ## install Chromium for the browser tests where it is missing (Debian, Ubuntu)
	@command -v chromium >/dev/null || { \
	  command -v apt-get >/dev/null || { echo "the browser tests need the program chromium: install it, and put it on the PATH" >&2; exit 1; }; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update && \
	  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-liberation; }

faketime: ## install libfaketime, with which a test moves wall clocks, where it is missing (Debian, Ubuntu)
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || \
	  if command -v apt-get >/dev/null; then \
	    as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	    $$as_root apt-get update && \
	    $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends faketime; \
	  else echo "no libfaketime here: the tests of wall clocks that jump will be skipped" >&2; fi

test: $(READY) browser faketime ## every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

planted: $(READY) ## judge every planted wrong solution of every exercise (`make test` judges four of each)
	DFSLAB_ALL_PLANTED=1 $(BIN)/python -m pytest -n $(WORKERS) tests/exercises

faults: $(READY) faketime ## the fault matrix as a table: row, cases, times struck, outcome (ROWS="7 16" for some)
	$(BIN)/python -m tests.faults $(ROWS)

FUZZ_SECONDS ?= 20

soak: $(READY) ## the long proof: 1,000 seeds, every planted bug, ten minutes of the nemesis (15 minutes)
	$(BIN)/python -m tests.soak

fuzz: $(READY) ## look for inputs that break a parser, FUZZ_SECONDS=20 a target
	$(BIN)/pip install --quiet --editable '.[fuzz]'
	$(BIN)/python tools/fuzz.py --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

lint: $(READY) ## ruff and strict mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: $(READY) ## generate dfslab/runtime/dfs_pb2* from proto/dfs.proto
	$(BIN)/python tools/generate_proto.py

gallery: $(READY) ## draw every picture for docs/gallery.md from its recorded trace
	$(BIN)/python tools/make_gallery.py

notebooks: $(READY) ## run every notebook again and keep its outputs
	$(BIN)/python tools/run_notebooks.py notebooks/*.ipynb

docs: $(READY) ## the documentation site: build/docs/index.html
	$(BIN)/python -m sphinx -W --keep-going -n -q -c docs -d build/doctrees . build/docs
	@echo build/docs/index.html

bench: $(READY) ## the table: dfslab beside the machine's limit and a peer, kept in benchmarks/RESULTS.md
	$(BIN)/pip install --quiet --editable '.[bench]'
	$(BIN)/python -m benchmarks

bench-quick: $(READY) ## a part of it in a minute: fails when a ratio has fallen below half of the recorded one
	$(BIN)/python -m benchmarks --quick

figures: $(READY) ## what the laboratory costs: start, memory, links, pictures, dashboard
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.links
	$(BIN)/python -m benchmarks.pictures
	$(BIN)/python -m benchmarks.dashboard

scaling: $(READY) ## how time grows with files, clients, keepers and the catalog: docs/performance.md
	$(BIN)/python -m benchmarks.scaling

clean: ## remove .venv and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis artifacts dist build
