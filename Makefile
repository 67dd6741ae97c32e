# Everything a newcomer, a developer and the continuous integration run. `make help` lists it.
# Needed: make, git and any Python from 3.11 on. Everything else is installed into this folder: uv, where there is none,
# into .uv, and what turngraph needs into .venv. PYTHON=3.13 chooses another Python, VENV=… another place.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= >=3.11
VENV ?= .venv
RUN := $(VENV)/bin/
WHEEL_VENV := .wheel/.venv
ROOMS := state providers scripted drawing tools billing nodes graphs interfaces
export LANGGRAPH_STRICT_MSGPACK := true
export UV_PYTHON_DOWNLOADS ?= never
# Behind a company's proxy only the system's own certificates will do; a bare container may have none.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /System/Library/Keychains),)
export UV_SYSTEM_CERTS ?= true
endif

.PHONY: coverage crashtest help install links demo test check lint format types rules replay bench pictures wheel wheel-test lock clean

help:  ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.uv/bin/uv:
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Install uv (https://docs.astral.sh/uv), or Python's venv module (Debian: apt install python3-venv)." >&2; exit 1; }
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed: pyproject.toml requirements.lock | $(UV)
	$(UV) venv --quiet --allow-existing --python '$(PYTHON)' $(VENV)
	$(UV) pip install --quiet --python $(RUN)python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(RUN)python --no-deps --editable .
	$(MAKE) --no-print-directory links
	touch $@

install: $(VENV)/.installed  ## everything the other targets need, in .venv

# `turngraph/` holds the front door; links to the rooms make it the whole package, in this folder and, by a `.pth` file
# that names a real folder, for every script: interpreters, type checkers and editors find it without being configured.
links:
	for room in $(ROOMS); do ln -sfn ../$$room turngraph/$$room; done
	mkdir -p $(VENV)/turngraph-source
	ln -sfn $(CURDIR)/turngraph $(VENV)/turngraph-source/turngraph
	echo $(abspath $(VENV))/turngraph-source >$$($(RUN)python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/turngraph-source.pth

demo: install  ## three turns on the scripted model, every stage shown
	@$(RUN)turngraph demo

test: install  ## the whole suite
	$(RUN)pytest -n auto -q

coverage: install  ## every line and branch of billing/ must be run by a test
	$(RUN)pytest -n auto -q --cov --cov-config=pyproject.toml tests/billing tests/graphs

check: lint types rules test  ## what the continuous integration runs

lint: install
	$(RUN)ruff check .
	$(RUN)ruff format --check .

format: install  ## rewrite the code as `make lint` wants it
	$(RUN)ruff check --fix-only --quiet .
	$(RUN)ruff format .

types: install
	$(RUN)mypy

rules: install  ## which room may import which
	$(RUN)pytest -q tests/test_rooms.py

replay: install  ## read recorded answers again: make replay DIR=folder
	$(RUN)python -m tests.replay $(DIR) --turns
	$(RUN)python -m tests.replay $(DIR)

crashtest: install  ## kill, freeze and starve turns and their ledger; nothing may be missing or double
	$(RUN)python -W error tests/crash/crashtest.py

bench: install  ## what a turn costs, next to a hand-written loop and langchain's agent
	$(RUN)python -m benchmarks
	$(RUN)python -m benchmarks.ledger_cost

pictures: install  ## draw docs/*.svg anew
	$(RUN)turngraph draw docs/turn.svg
	$(RUN)turngraph demo --only 2 --svg docs/demo.svg >/dev/null

wheel: | $(UV)  ## build dist/turngraph-….whl
	rm -rf build/lib build/bdist.* dist
	$(UV) build --quiet --wheel --python '$(PYTHON)' --out-dir dist
	rm -rf build/lib build/bdist.*

wheel-test: wheel  ## install the wheel into an empty environment and run the whole suite against it
	$(UV) venv --quiet --clear --python '$(PYTHON)' $(WHEEL_VENV)
	$(UV) pip install --quiet --python $(WHEEL_VENV)/bin/python --constraint requirements.lock dist/*.whl
	$(WHEEL_VENV)/bin/python -W error -m tests.wheel dist/*.whl
	$(WHEEL_VENV)/bin/turngraph run "What is 6 * 7?" --quiet
	$(UV) pip install --quiet --python $(WHEEL_VENV)/bin/python --require-hashes -r requirements.lock
	$(WHEEL_VENV)/bin/pytest -n auto -q

lock: | $(UV)  ## renew requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --all-extras --group dev pyproject.toml -o requirements.lock

clean:  ## forget everything installed or built
	rm -rf .venv .wheel .uv build dist *.egg-info .mypy_cache .ruff_cache .langgraph_api
