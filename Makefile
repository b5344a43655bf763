# make run: the relay with a simulated broker. make test: the tests. Both install what they need into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help run test test-foreign hostile check style types coverage docs proto wheel bench clean

help:
	@echo "make run    the relay with a simulated broker, in the foreground (WS_PORT=9001 make run moves it)"
	@echo "make test   install what the tests need into $(VENV) and run them: 10 to 15 minutes; downloads both that (PyPI)"
	@echo "            and, in the tests, the wheel's requirements"
	@echo "make test-foreign  the tests that make test leaves out: two foreign cTrader clients (PyPI, npm) on the simulator"
	@echo "make hostile  attack a relay in every way that is known, and print what its other clients saw: half an hour"
	@echo "make check  style and types"
	@echo "make coverage  which branches the tests take, integration tests left out; fails below the floor of pyproject.toml"
	@echo "make docs   the documentation as a site, into build/docs"
	@echo "make proto  generate the protobuf modules from proto/"
	@echo "make wheel  build the wheel into dist/"
	@echo "make bench  compare with the alternatives, which are installed first; writes benchmarks/RESULTS.md"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tickrelay needs Python 3.11 or newer: PYTHON=python3.12 make ...")'
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(VENV)/bin/python setup.cfg
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

# protoc's generator is pinned, and its own wish for an older protobuf runtime passed over: only what it writes counts.
$(STAMP)-dev: $(STAMP) tools/proto-requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r tools/proto-requirements.txt
	@touch $@

run: $(STAMP)
	@exec $(BIN)/twistd --nodaemon --pidfile= tickrelay --simulate

test: $(STAMP)-dev
	$(BIN)/python -m pytest -m "not foreign"

test-foreign: $(STAMP)-dev
	$(BIN)/python -m pytest -m foreign tests/integration

# Each says what was wrong; the exit status is that of all.
hostile: $(STAMP)-dev
	@status=0; \
	$(BIN)/python -m tests.hostile || status=1; \
	$(BIN)/python -m pytest -q tests/hostile/test_broker.py || status=1; \
	$(BIN)/python -m tests.hostile.chaos --seconds $${CHAOS_SECONDS:-600} || status=1; \
	exit $$status

check: style types

style: $(STAMP)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(STAMP)-dev
	$(BIN)/mypy

# Twice as slow as the tests alone. Integration tests run processes of their own, which are not measured.
coverage: $(STAMP)-dev
	$(BIN)/coverage run -m pytest -m "not integration"
	$(BIN)/coverage report

docs: $(STAMP)-dev
	$(BIN)/python -m sphinx -n -W --keep-going -q -b html -d build/doctrees docs build/docs

proto: $(STAMP)-dev
	$(BIN)/python tools/gen_proto.py

wheel: $(STAMP)-dev
	$(BIN)/python -m build --wheel --outdir dist

bench: $(STAMP)-dev
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) build dist *.egg-info
