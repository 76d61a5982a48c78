PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := runs/demo
# The time of all files of an archive: that of the commit, or of a copy without its history.
EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1767225600)
# Whoever has done its tests takes over some of another's.
EVERY_CORE := -n auto --dist worksteal
# JAX compiles for every shape, which takes long; these reach all of the core.
CONTRACT := tests/growth/rules/test_contract.py
JAX_TESTS := $(addprefix tests/growth/test_,widen.py fuse.py distill.py)
JAX_TESTS += tests/growth/core/test_axis_map.py $(CONTRACT)
JAX_TESTS += tests/callbacks/test_growth_backends.py
JAX_TESTS += $(addprefix tests/majority/test_,layers.py collapse_callbacks.py)
JAX_TESTS += $(addprefix tests/energy/test_,exact.py)
# Trains with JAX alone.
JAX_TESTS += tests/research/test_quick.py
LOWEST := .venv-lowest
LOWEST_TOOLS := hypothesis polars psutil pytest scikit-learn
LOWEST_TESTS := $(addprefix tests/,files ground security heads graphs keras_internals majority/test_layers.py)
LOWEST_TESTS += $(addprefix tests/data/test_,preprocessing.py rows.py spool.py weights.py)
LOWEST_TESTS += $(addprefix tests/growth/test_,actions.py deepen.py distill.py fuse.py widen.py)
LOWEST_TESTS += $(addprefix tests/adanet/,checkpoints objective search/test_search_load.py search/test_replay.py)

export TF_CPP_MIN_LOG_LEVEL := 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast fuzz exhaustive contract docs lint lowest coverage-table bench build audit clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

venv: $(STAMP) ## make .venv with the exact packages of constraints.txt

$(STAMP): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make venv: Python 3.11 or newer is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make venv: $(PYTHON) cannot make virtual environments: it lacks ensurepip" \
	    "(Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --no-compile --constraint constraints.txt --editable '.[dev,docs,examples]'
	@touch $@

demo: venv ## fit a raw table, then predict raw rows with the model and with its SavedModel
	@rm -rf $(DEMO)
	$(BIN)/python examples/raw_table.py $(DEMO)
	$(BIN)/adaptive-nets fit --table $(DEMO)/flats.csv --target rent --time_limit 60 \
	  --model_dir $(DEMO)/fit --seed 0
	$(BIN)/adaptive-nets predict --model_dir $(DEMO)/fit --table $(DEMO)/new.csv
	$(BIN)/adaptive-nets predict --saved_model $(DEMO)/fit/export --table $(DEMO)/new.csv

test: lint ## lint, then every test but the exhaustive, and under JAX those of the ground floor's core
	$(BIN)/python -m pytest $(EVERY_CORE) -m "not exhaustive"
	KERAS_BACKEND=jax $(BIN)/python -m pytest $(EVERY_CORE) -m "backend_agnostic and not exhaustive" $(JAX_TESTS)

test-fast: venv ## the quick tests on TensorFlow, for between two changes
	$(BIN)/python -m pytest $(EVERY_CORE) -m "not slow and not exhaustive"

fuzz: venv ## public calls and stored files with values of all kinds, 120 s; FUZZ_SECONDS=3600 FUZZ_SEED=1
	$(BIN)/python tests/fuzz/fuzz.py --seed $(or $(FUZZ_SEED),0) \
	  --seconds $(or $(FUZZ_SECONDS),120) $(if $(FUZZ_SECONDS),,--calls 12000)

exhaustive: venv ## the tests that make test leaves out; SCRIPTS=1 only those of scripts and pages
	$(BIN)/python -m pytest $(EVERY_CORE) -m exhaustive $(if $(SCRIPTS),$(addprefix tests/,benchmarks research examples))
ifndef SCRIPTS
	KERAS_BACKEND=jax $(BIN)/python -m pytest $(EVERY_CORE) -m "backend_agnostic and exhaustive" $(JAX_TESTS)
endif

contract: venv ## the growth contract with every case, and all models of the coverage table, on TensorFlow and JAX
	WHOLE_CONTRACT=1 $(BIN)/python -m pytest $(EVERY_CORE) $(CONTRACT) tests/growth/rules/test_applications.py \
	  tests/growth/coverage
	WHOLE_CONTRACT=1 KERAS_BACKEND=jax $(BIN)/python -m pytest $(EVERY_CORE) $(CONTRACT)

docs: venv ## the documentation as a site, in .build/site; warnings and dead links are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

lint: venv ## format, lint and the floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

lowest: ## the core of the tests on the declared minimum of each dependency
	$(PYTHON) -m venv --clear $(LOWEST)
	$(PYTHON) tests/lowest.py > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install -qq --constraint $(LOWEST)/constraints.txt --editable '.[probability,tune]' $(LOWEST_TOOLS)
	$(LOWEST)/bin/python -m pytest -p no:cacheprovider $(LOWEST_TESTS)

coverage-table: venv ## try every growth verb on all models of the table, and write docs/coverage.md
	$(BIN)/python tests/growth/coverage

bench: venv ## the timed comparisons; QUICK=1 in seconds, AGAINST=checkout adds steps.py
	@set -e; for name in search limits growth majority energy serving convex; do \
	  echo "== $$name"; $(BIN)/python benchmarks/$$name.py $(if $(QUICK),--quick); done
ifdef AGAINST
	$(BIN)/python benchmarks/steps.py --against $(AGAINST) $(if $(QUICK),--quick)
endif

build: venv ## wheel and sdist into dist/, with a bill of materials, and the same bytes each time
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-format JSON --output-file sbom.cdx.json $(BIN)/python
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python -m build --outdir dist

audit: venv ## ask the Python advisory database about every package of constraints.txt
	@$(BIN)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip \
	  --progress-spinner off || { echo "make audit: FAILED: a known hole above, or a package that" \
	    "the database was not asked about: then nothing is known of it" >&2; exit 1; }

clean: ## remove everything these targets made
	rm -rf $(VENV) $(LOWEST) .build dist runs *.egg-info .pytest_cache .ruff_cache .import_linter_cache sbom.cdx.json
	find adaptive_nets tests -name __pycache__ -prune -exec rm -rf {} +
