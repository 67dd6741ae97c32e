# Everything a newcomer, a developer and the continuous integration run. `make help` lists it.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= 3.11
VENV ?= .venv
RUN := $(VENV)/bin/
export LANGGRAPH_STRICT_MSGPACK := true

.PHONY: help install demo test check lint format types rules replay bench wheel lock clean

help:  ## what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV):
	python3 -m venv .uv && .uv/bin/pip install --quiet uv

$(VENV)/.installed: pyproject.toml requirements.lock | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(RUN)python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(RUN)python --no-deps --editable .
	mkdir -p .types && ln -sfn .. .types/turngraph
	touch $@

install: $(VENV)/.installed  ## everything the other targets need, in .venv

demo: install  ## three turns on the scripted model, every stage shown
	$(RUN)turngraph demo

test: install  ## the whole suite
	$(RUN)pytest -n auto -q

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

lock: | $(UV)  ## renew requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --all-extras --group dev pyproject.toml -o requirements.lock

clean:  ## forget everything installed or built
	rm -rf .venv .uv .types build dist *.egg-info .mypy_cache .ruff_cache
