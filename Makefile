# Every target brings its own set-up: Python 3.11 or later, pip and make are all it needs.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
# `make test PYTHON=python3.13` has an environment of its own, beside that of python3.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
SOURCES := middleware tests examples benchmarks
COVERAGE_MIN ?= 90
# One more than there are cores: tests wait for their servers and browsers.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Bytecode is written even where the environment forbids it: hundreds of processes start here, and would each compile
# what they import.
PYTEST := PYTHONDONTWRITEBYTECODE= HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-ci} $(BIN)/python -m pytest
# A file stays with one worker: what its tests share is made once. Each worker has servers of its own. The order is
# that of tests/conftest.py, where the longest files come first.
SPREAD := --numprocesses=$(WORKERS) --maxprocesses=8 --dist=loadfile --no-loadscope-reorder
COMPILED := $(CURDIR)/$(VENV)/compiled
TESTS ?= # all but those of the benchmarks
TESTS_BENCHMARKS ?= $(wildcard tests/test_benchmarks*.py)
# The suite in three parts, for a CI with several machines. Together they are `make test`.
TESTS_BROWSER ?= tests/stepup/pages tests/acceptance/test_step_up_in_a_browser.py \
	tests/acceptance/test_the_wallet_in_a_browser.py tests/answer/test_chromium.py
TESTS_STORES ?= tests/control tests/ledger tests/metrics tests/owners tests/store tests/upgrade
TESTS_COMPILED ?= tests/answer tests/asgi tests/audit tests/detect tests/frameworks tests/judge tests/ledger tests/model tests/read tests/record tests/stepup/flow \
	tests/store/test_library.py tests/store/test_line.py tests/test_compiled.py
# What talks to an event loop: sockets, timers, cancellations.
TESTS_UVLOOP ?= tests/asgi tests/challenge tests/frameworks tests/ledger tests/mail tests/owners tests/passwords tests/stepup \
	tests/store tests/test_loop.py

say = @printf '\033[1m==>\033[0m %s\n'

.PHONY: help
help: ## Show what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.with-demo ## Attack a login service over HTTP, without the guard and with it (about two minutes)
	@$(BIN)/sekisho demo

.PHONY: stories
stories: $(VENV)/.with-demo ## Play the attacks that emptied real wallets at a wallet, without the guard and with it (under eight minutes)
	@$(BIN)/python -m examples.wallet.stories

.PHONY: test
test: $(VENV)/.with-test ## Run the suite against a real Redis, found or installed
	$(say) "Running the tests"
	@$(PYTEST) $(SPREAD) $(or $(TESTS),$(addprefix --ignore=,$(TESTS_BENCHMARKS)))

.PHONY: test-browser test-stores test-unit
test-browser: $(VENV)/.with-test ## Run the part of the suite that needs a browser
	$(say) "Running the tests in a browser"
	@$(PYTEST) $(SPREAD) --quiet $(TESTS_BROWSER)

test-stores: $(VENV)/.with-test ## Run the part of the suite that is about Redis and databases
	$(say) "Running the tests of stores"
	@$(PYTEST) $(SPREAD) --quiet $(TESTS_STORES)

test-unit: $(VENV)/.with-test ## Run all other parts of the suite
	$(say) "Running the tests without those of browsers and stores"
	@$(PYTEST) $(SPREAD) --quiet $(addprefix --ignore=,$(TESTS_BENCHMARKS) $(TESTS_BROWSER) $(TESTS_STORES))

.PHONY: test-benchmarks
test-benchmarks: $(VENV)/.with-test ## Run the tests of what measures
	$(say) "Running the tests of benchmarks/"
	@$(PYTEST) $(SPREAD) --quiet $(TESTS_BENCHMARKS)

.PHONY: coverage
coverage: $(VENV)/.with-test ## Run what concerns the package once more, and count which branches it takes
	$(say) "Running the tests (branch coverage must reach $(COVERAGE_MIN)%)"
	@$(PYTEST) $(SPREAD) --quiet --cov --cov-branch --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE_MIN) \
		--ignore-glob='tests/test_benchmarks_*' --ignore=tests/test_quick_start.py --ignore=tests/matrix --ignore=tests/real

.PHONY: test-compiled
test-compiled: $(VENV)/.with-check ## Run what concerns the hot path against modules compiled by mypyc
	$(say) "Compiling the hot path"
	@$(BIN)/python middleware/hatch_build.py $(COMPILED)
	$(say) "Running its tests"
	@TEST_COMPILED=1 PYTHONPATH=$(COMPILED) $(PYTEST) $(SPREAD) --quiet $(TESTS_COMPILED)

.PHONY: test-uvloop
test-uvloop: $(VENV)/.with-test ## Run what talks to the event loop on uvloop, which uvicorn prefers
	$(say) "Running the tests on uvloop"
	@TEST_LOOP=uvloop $(PYTEST) $(SPREAD) --quiet $(TESTS_UVLOOP)

.PHONY: fuzz
fuzz: $(VENV)/.with-test ## Look for counter-examples to properties that the suite has not drawn (half an hour; TESTS=tests/read for a part)
	$(say) "Drawing a thousand examples for each property"
	@export HYPOTHESIS_PROFILE=fuzz; $(PYTEST) $(SPREAD) --quiet -m hypothesis $(TESTS)

.PHONY: matrix
matrix: $(VENV)/.with-test ## Send generated requests through every server to every framework (ten minutes; a sample is in the tests)
	$(say) "Parsers as old as the floors of what is installed allow"
	@$(PIP) install --upgrade --no-deps --target $(VENV)/oldest python-multipart==0.0.20 starlette==0.46.0 django==5.2 \
		litestar==2.20.0 werkzeug==3.0.0
	@PYTHONPATH=$(CURDIR)/$(VENV)/oldest $(BIN)/python -m pytest --quiet tests/read/test_parsers.py
	$(say) "Servers, frameworks and generated requests"
	@MATRIX_REQUESTS=$${MATRIX_REQUESTS:-240} $(BIN)/python -m pytest --quiet tests/matrix

.PHONY: real
real: $(VENV)/.with-test ## Try log-ins that others wrote behind the guard, and write what came of it to docs/frameworks.md
	$(say) "Trying real services over HTTP"
	@REAL=all $(BIN)/python -m pytest --quiet tests/real
	$(say) "Writing docs/frameworks.md"
	@$(BIN)/python -m tests.real.document

.PHONY: laboratory
LABORATORY ?= --seed 1 --seed 2 --seed 3 --seed 4 --seed 5 --policy default --policy factors --policy posture \
	--policy familiar --policy familiar-spared --policy strict --policy quiet --policy pci --policy jsda \
	--policy slowapi --policy fastapi-limiter --policy django-axes --policy keycloak --policy auth0 --policy aws-atp --policy stopguessing
LABORATORY_PAGE ?= docs/laboratory
laboratory: $(VENV)/.with-demo ## Play all scenarios on simulated time, and write docs/laboratory.md (three hours of a core; LABORATORY="--scale 1 --seed 1 --policy posture"); a run that was cut off goes on
	$(say) "Playing the scenarios"
	@mkdir -p build
	@$(BIN)/sekisho simulate $(LABORATORY) --jobs $$(getconf _NPROCESSORS_ONLN) --kept build/laboratory.jsonl --at "$$(git rev-parse --short HEAD)" \
		--document $(LABORATORY_PAGE).md --curves $(LABORATORY_PAGE)

.PHONY: laboratory-page
laboratory-page: $(VENV)/.with-bench ## Play some rows of docs/laboratory.md again, and name each that has become another (ten minutes of a core)
	@$(BIN)/python -m benchmarks.laboratory_page $(SCENARIO)

.PHONY: screenshots
screenshots: $(VENV)/.with-test ## Take the screenshots of the documentation in Chromium (half a minute)
	$(say) "Taking the screenshots of docs/screenshots"
	@$(BIN)/python -m tests.screenshots

.PHONY: rows
rows: $(VENV)/.with-test ## Name what was found from outside and is held by no test
	@$(BIN)/python -m tests.rows

.PHONY: check
check: $(VENV)/.with-check ## Lint, check formatting, types, the direction of imports and the English
	$(say) "Lint"
	@$(BIN)/ruff check $(SOURCES)
	$(say) "Format"
	@$(BIN)/ruff format --check $(SOURCES)
	$(say) "Types"
	@$(BIN)/mypy $(SOURCES)
	$(say) "Plain English, where the table says that it is"
	@$(BIN)/python -m tests.plain
	$(say) "Imports run one way"
	@$(BIN)/lint-imports --no-logo

.PHONY: bench
bench: $(VENV)/.with-bench ## Measure what the guard costs (about an hour; QUICK=1 for a first look)
	$(say) "Instructions of every step"
	@$(BIN)/python -m benchmarks.instructions $(if $(QUICK),--quick)
	$(say) "Steps of the hot path"
	@$(BIN)/python -m pytest benchmarks/micro -q --benchmark-only --benchmark-columns=min,median,iqr,rounds
	$(say) "Script time in Redis"
	@$(BIN)/python -m benchmarks.lua $(if $(QUICK),--quick)
	$(say) "A Redis Cluster"
	@$(BIN)/python -m benchmarks.cluster $(if $(QUICK),--quick)
	$(say) "Whole requests over HTTP, beside other guards"
	@$(BIN)/python -m benchmarks.over_http $(if $(QUICK),--quick)
	$(say) "Owners behind one address"
	@$(BIN)/python -m benchmarks.nat $(if $(QUICK),--quick)
	$(say) "What it costs when nobody logs in"
	@$(BIN)/python -m benchmarks.idle $(if $(QUICK),--quick)
	$(say) "Latency at fixed rates"
	@$(BIN)/python -m benchmarks.latency $(if $(QUICK),--quick)
	$(say) "As limits, identities, connections and refusals grow"
	@$(BIN)/python -m benchmarks.growth $(if $(QUICK),--quick)
	$(say) "Counting in memory, and in a Redis"
	@$(BIN)/python -m benchmarks.stores $(if $(QUICK),--quick)
	$(say) "Other servers, sockets and numbers of workers"
	@$(BIN)/python -m benchmarks.setups $(if $(QUICK),--quick)
	$(say) "Where a busy server is"
	@$(BIN)/python -m benchmarks.flame $(if $(QUICK),--quick)
	@$(BIN)/python -m benchmarks.figures $(if $(QUICK),--quick)

.PHONY: bench-corpus
bench-corpus: $(VENV)/.with-bench ## Measure files of leaked passwords at full size (half an hour, 10 GB; QUICK=1 for a first look)
	@for part in build lookups structures cost; do \
		$(BIN)/python -m benchmarks.corpus $$part $(if $(QUICK),--quick) || exit 1; \
	done
	@$(BIN)/python -m benchmarks.corpus figures $(if $(QUICK),--quick)

.PHONY: bench-step-up
bench-step-up: $(VENV)/.with-bench ## Measure what the time of a step-up tells, and what it costs (an hour; QUICK=1 for a first look)
	@for part in timings flooded enrolled doors cost; do \
		$(BIN)/python -m benchmarks.step_up $$part $(if $(QUICK),--quick) || exit 1; \
	done
	@$(BIN)/python -m benchmarks.step_up figures

.PHONY: bench-replay
bench-replay: $(VENV)/.with-bench ## Replay fifty million log-ins through guard and Redis (half an hour; QUICK=1 for a fiftieth of it)
	@$(BIN)/python -m benchmarks.replay $(if $(QUICK),--scale 0.02) --anew

.PHONY: bench-overload
bench-overload: $(VENV)/.with-bench ## Measure known devices beside floods larger than the machine (an hour; QUICK=1 for a first look)
	@$(BIN)/python -m benchmarks.overload $(if $(QUICK),--quick)

.PHONY: loadtest
loadtest: $(VENV)/.with-test ## Siege the example wallet with Locust: owners, and attackers at all of its doors (two minutes)
	@$(BIN)/python -m benchmarks.loadtest.wallet

.PHONY: soak
soak: $(VENV)/.with-bench ## Keep a flood up for ten minutes: memory, file handles and tasks must not grow
	$(say) "Ten minutes of a flood"
	@$(BIN)/python -m benchmarks.overload --soak $${SOAK_MINUTES:-10}

.PHONY: dist
dist: $(VENV)/.with-dist ## Build the source archive and a wheel, and check what an index would show of them
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/python -m twine check --strict dist/*

.PHONY: clean
clean: ## Remove the environment and everything that was made here
	@rm -rf .venv .venv-* dist build .coverage .coverage.* .hypothesis .benchmarks \
		.mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp adds what one target needs to what the former has, so `make demo` never waits for a type checker.

$(VENV)/.with-pip: pyproject.toml
	$(say) "Making a Python environment in $(VENV)"
	@# Debian ships venv without ensurepip; its own pip can fill the environment from outside.
	@# One that is there is kept: `--clear` would empty it, and what a link leads to.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --quiet --disable-pip-version-check --python $(BIN)/python install pip; }
	@$(PIP) install 'pip>=25.1' # the first that reads dependency groups (PEP 735)
	@touch $@

$(VENV)/.with-dist: $(VENV)/.with-pip
	$(say) "Installing what builds packages"
	@$(PIP) install --group dist
	@touch $@

$(VENV)/.with-demo: $(VENV)/.with-pip
	$(say) "Installing sekisho and what the demo needs"
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/.with-test: $(VENV)/.with-demo
	$(say) "Installing what the tests need"
	@$(PIP) install --group test
	@touch $@

$(VENV)/.with-check: $(VENV)/.with-test
	$(say) "Installing the checkers"
	@$(PIP) install --group check
	@touch $@

# The benchmarks compile the hot path, with what checks it.
$(VENV)/.with-bench: $(VENV)/.with-check
	$(say) "Installing what the benchmarks compare with"
	@$(PIP) install --group bench
	@touch $@
