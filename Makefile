# Everything a newcomer, a developer and the continuous integration run. `make help` lists it.
# Needed: make, git and any Python from 3.11 on. Everything else is installed into this folder: uv,
# if it is missing, into .uv, and what turngraph needs into .venv.
# PYTHON=3.13 chooses another Python, VENV=folder another place.
# Many tests wait for sockets and for each other: two workers a core.
WORKERS := $(shell echo $$(( 2 * $$(nproc 2>/dev/null || echo 2) )))
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= >=3.11
VENV ?= .venv
EXAMPLES ?= 20000
RUN := $(VENV)/bin/
WHEEL_VENV := .wheel/.venv
WHEEL_TREE := .wheel/tree
SERVER_VENV := .langgraph/.venv
CLIENTS := .clients
ROOMS := state providers scripted drawing tools billing nodes graphs interfaces
export LANGGRAPH_STRICT_MSGPACK := true
export UV_PYTHON_DOWNLOADS ?= never
# A Python that must not write bytecode compiles every library again at each start: 2 s a command.
export PYTHONDONTWRITEBYTECODE :=
# Behind a company's proxy only the system's own certificates will do; a bare container may have none.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /System/Library/Keychains),)
export UV_SYSTEM_CERTS ?= true
endif

.PHONY: server-clients server-load server-recorded server-soak
.PHONY: bench bench-gateways check clean coverage crashtest demo docs failures faults format fuzz help install langgraph-server
.PHONY: links lint lock looks notebook notebooks pictures properties release-check replay retries rules tenants
.PHONY: test test-lowest test-newest
.PHONY: test-unlocked types wheel wheel-test

help:  ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.uv/bin/uv:
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Install uv (https://docs.astral.sh/uv), or Python's venv module (Debian: apt install python3-venv)." >&2; exit 1; }
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

# What a user gets: the package and what it depends on, in the versions of the lock. No tool for
# developers; `install` adds those, and needs nothing that is done here.
$(VENV)/.package: pyproject.toml requirements.lock | $(UV)
	@echo "Installing turngraph and what it needs into $(VENV) (73 packages, 140 MB) …"
	@$(UV) venv --quiet --allow-existing --python '$(PYTHON)' $(VENV)
	@$(UV) pip install --python $(RUN)python --constraint requirements.lock --editable .
	@$(MAKE) --no-print-directory --silent links
	@touch $@

$(VENV)/.notebook: $(VENV)/.package
	@echo "Installing JupyterLab and the widget …"
	@$(UV) pip install --python $(RUN)python --constraint requirements.lock --editable '.[notebook]' jupyterlab
	@touch $@

$(VENV)/.installed: pyproject.toml requirements.lock | $(UV)
	$(UV) venv --quiet --allow-existing --python '$(PYTHON)' $(VENV)
	$(UV) pip install --quiet --python $(RUN)python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(RUN)python --no-deps --editable .
	$(MAKE) --no-print-directory links
	touch $(VENV)/.package $(VENV)/.notebook $@

install: $(VENV)/.installed  ## everything the other targets need, in .venv

# `turngraph/` holds the list of public names; links to the rooms make it the whole package, in this
# folder and, by a `.pth` file that names a real folder, for every script: interpreters, type checkers
# and editors find it without being configured.
links:
	for room in $(ROOMS); do ln -sfn ../$$room turngraph/$$room; done
	mkdir -p $(VENV)/turngraph-source
	ln -sfn $(CURDIR)/turngraph $(VENV)/turngraph-source/turngraph
	echo $(abspath $(VENV))/turngraph-source >$$($(RUN)python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/turngraph-source.pth

demo: $(VENV)/.package  ## three turns on the scripted model, every stage shown
	@$(RUN)turngraph demo
	@printf '\nNext:\n'
	@printf '  %-48s %s\n' \
	  '$(RUN)turngraph step "What is 17% of 2,340?"' 'your own turn, stage by stage' \
	  'make notebook' 'the same in JupyterLab' \
	  'docs/tutorial/own-agent.md' 'an agent of your own in fifteen minutes' \
	  'make help' 'everything else'

# Copies are opened: what a reader runs and changes is theirs, and no tracked file.
notebook: $(VENV)/.notebook  ## JupyterLab with copies of the notebooks, on the scripted model
	mkdir -p my_notebooks
	cp -n notebooks/*.ipynb my_notebooks/
	$(RUN)jupyter lab my_notebooks/01_one_turn.ipynb

notebooks: install  ## run every notebook and save it with its outputs; needs Chromium
	$(RUN)python -m notebooks.source.make

test: install  ## the whole suite
	$(RUN)pytest -n $(WORKERS) -q

# What the lock does not say: that the code also works with the newest releases, and with the oldest
# that pyproject.toml allows. TESTS chooses a part of the suite.
test-newest:  ## the suite with the newest releases of everything
	@$(MAKE) --no-print-directory test-unlocked RESOLUTION=highest VENV=.newest/.venv

test-lowest:  ## the suite with the lowest releases allowed
	@$(MAKE) --no-print-directory test-unlocked RESOLUTION=lowest-direct VENV=.lowest/.venv

test-unlocked: | $(UV)
	$(UV) venv --quiet --clear --python '$(PYTHON)' $(VENV)
	$(UV) pip install --quiet --python $(RUN)python --upgrade --resolution $(RESOLUTION) \
	  --group dev --editable '.[all]'
	@$(MAKE) --no-print-directory --silent links
	$(RUN)pytest -n $(WORKERS) -q $(TESTS)

# In an environment of its own, because the server is large and under another license. It wants
# older releases of three packages than the lock has.
langgraph-server: | $(UV)  ## LangGraph's own server, walked by its own client
	$(UV) venv --quiet --allow-existing --python '$(PYTHON)' $(SERVER_VENV)
	grep '^[a-z]' requirements.lock | grep -vE '^(protobuf|jsonschema-rs|sse-starlette)=' | sed 's/ \\$$//' >$(SERVER_VENV)/constraints.txt
	$(UV) pip install --quiet --python $(SERVER_VENV)/bin/python --constraint $(SERVER_VENV)/constraints.txt \
	  --editable . 'langgraph-cli[inmem]>=0.4' hypothesis pytest pytest-asyncio
	@$(MAKE) --no-print-directory --silent links VENV=$(SERVER_VENV)
	$(SERVER_VENV)/bin/pytest -q tests/interfaces/langgraph_server

# In environments of their own: LiteLLM wants another openai client than the agents, and they another
# one than the lock has; the AI SDK comes from npm.
server-clients: install  ## other clients, agents and conformance suites against the server
	$(UV) venv --quiet --allow-existing --python '$(PYTHON)' $(CLIENTS)/.venv
	$(UV) pip install --quiet --python $(CLIENTS)/.venv/bin/python litellm llm-comply schemathesis
	$(UV) venv --quiet --allow-existing --python '$(PYTHON)' $(CLIENTS)/.agents
	$(UV) pip install --quiet --python $(CLIENTS)/.agents/bin/python \
	  langchain-openai openai-agents 'pydantic-ai-slim[openai]'
	cp tests/interfaces/server/clients/vercel.mjs $(CLIENTS)/
	npm install --silent --no-audit --no-fund --prefix $(CLIENTS) ai @ai-sdk/openai zod
	$(RUN)python -m tests.interfaces.server.clients \
	  "$(CLIENTS)/.venv/bin/python tests/interfaces/server/clients/lite.py" \
	  "node $(CLIENTS)/vercel.mjs" \
	  "$(CLIENTS)/.agents/bin/python tests/interfaces/server/clients/openai_agents.py" \
	  "$(CLIENTS)/.agents/bin/python tests/interfaces/server/clients/pydantic_agents.py" \
	  "$(CLIENTS)/.agents/bin/python tests/interfaces/server/clients/langchain_openai_chat.py" \
	  "$(CLIENTS)/.venv/bin/python tests/interfaces/server/clients/comply.py" \
	  "$(CLIENTS)/.venv/bin/python tests/interfaces/server/clients/fuzz.py"

server-recorded: install  ## recorded requests of other projects (../shared/recorded), sent to the server
	$(RUN)python -m tests.interfaces.server.recorded ../shared/recorded

server-load: install  ## 500 streams at once, each complete and billed
	$(RUN)python -m tests.interfaces.server.load

server-soak: install  ## the server under a steady load; nothing may grow: make server-soak SECONDS=600
	$(RUN)python -m tests.interfaces.server.soak $(or $(SECONDS),600)

coverage: install  ## every line and branch of billing/ must be run by a test
	$(RUN)pytest -n $(WORKERS) -q --cov --cov-config=pyproject.toml tests/billing tests/graphs

# The tests often wait, so types are checked and pages are made beside them. `rules` is among them.
check: lint  ## what the continuous integration runs
	@$(MAKE) --no-print-directory -j 3 types docs test

lint: install
	$(RUN)ruff check .
	$(RUN)ruff format --check .

format: install  ## rewrite the code as `make lint` wants it
	$(RUN)ruff check --fix-only --quiet .
	$(RUN)ruff format .

types: install  ## the package and everything beside it: tests, benchmarks, notebooks
	$(RUN)mypy

rules: install  ## which room may import which
	$(RUN)pytest -q tests/test_rooms.py

# Strict: a warning is an error, a reference that leads nowhere too. The second command finds dead
# links and anything that a page would load from the network.
docs: install  ## the documentation site, in docs/_build/html
	$(RUN)sphinx-build --fail-on-warning --keep-going --nitpicky --quiet --jobs auto docs docs/_build/html
	$(RUN)python -m tests.site docs/_build/html

replay: install  ## read recorded answers again: make replay DIR=folder
	@$(RUN)python -m tests.replay $(DIR) --turns; turns=$$?; \
	$(RUN)python -m tests.replay $(DIR) && exit $$turns

faults: install  ## a server that misbehaves in every way we know; what comes of it must be as told
	$(RUN)python -W error -m tests.faults

failures: install  ## every statement and commit of a ledger fails once, on SQLite and PostgreSQL
	TURNGRAPH_ALL_FAILURES=1 $(RUN)pytest -n $(WORKERS) -q tests/billing/store/test_injected_failures.py

properties: install  ## the tests that Hypothesis draws examples for, with other examples than last time
	$(RUN)pytest -n $(WORKERS) -q --hypothesis-profile random -m hypothesis

fuzz: install  ## anything at all into the turn's entry points; only named errors may come out: make fuzz EXAMPLES=20000
	$(RUN)python -W error -m tests.fuzz --examples $(EXAMPLES)

crashtest: install  ## kill, freeze and starve turns and their ledger; nothing may be missing or double
	$(RUN)python -W error -m tests.crash.crashtest

tenants: install  ## two tenants on two server processes that are killed: make tenants TURNS=1000 KILLS=20 ON=postgresql
	$(RUN)python -m tests.tenants $(or $(TURNS),300) $(or $(KILLS),10) $(or $(ON),sqlite)

retries: install  ## workers are killed under clients that retry: make retries TURNS=350 KILLS=12 ON=postgresql
	$(RUN)python -m tests.retries $(or $(TURNS),350) $(or $(KILLS),12) $(or $(ON),sqlite)

# agno and openai-agents have an environment of their own: what they need excludes what turngraph needs.
.bench/.installed: benchmarks/contenders.lock | $(UV)
	$(UV) venv --quiet --allow-existing --python '$(PYTHON)' .bench
	$(UV) pip install --quiet --python .bench/bin/python --require-hashes -r $<
	touch $@

bench: install .bench/.installed  ## what a turn costs, next to a hand-written loop and other agents
	$(RUN)python -m benchmarks

# LiteLLM's proxy has an environment of its own too: 600 MB.
.gateways/.installed: benchmarks/gateways.lock | $(UV)
	$(UV) venv --quiet --allow-existing --python '$(PYTHON)' .gateways
	$(UV) pip install --quiet --python .gateways/bin/python --require-hashes -r $<
	touch $@

bench-gateways: install .gateways/.installed  ## what the server adds to a request, next to LiteLLM's proxy and a bare proxy
	$(RUN)python -m benchmarks.gateways

pictures: install  ## draw the pictures of docs/ anew; the screenshot needs Chromium
	$(RUN)turngraph draw docs/turn.svg
	$(RUN)turngraph demo --only 2 --svg docs/demo.svg >/dev/null
	$(RUN)python docs/floors.py docs/floors.svg
	$(RUN)python docs/terminal.py docs/terminal.svg
	TURNGRAPH_SCREENSHOTS=docs $(RUN)pytest -q tests/browser -k "pending_call or turn_is_started"

looks: install  ## screenshots of studio and widget, wide and narrow, light and dark, into .looks
	TURNGRAPH_LOOKS=.looks $(RUN)pytest -q -n $(WORKERS) tests/browser/test_studio.py tests/browser/test_widget_page.py \
	  tests/browser/test_notebooks.py

wheel: | $(UV)  ## build the sdist and, from it, the wheel, into dist/
	rm -rf build/lib build/bdist.* dist
	$(UV) build --quiet --python '$(PYTHON)' --out-dir dist
	rm -rf build/lib build/bdist.*

# The suite runs in a copy of the tree without turngraph/: `import turngraph` can only find the wheel.
wheel-test: wheel  ## install the wheel into an empty environment and run the whole suite against it
	$(UV) venv --quiet --clear --python '$(PYTHON)' $(WHEEL_VENV)
	$(UV) pip install --quiet --python $(WHEEL_VENV)/bin/python --constraint requirements.lock dist/*.whl
	rm -rf $(WHEEL_TREE) && mkdir -p $(WHEEL_TREE)
	git ls-files -z --cached --others --exclude-standard -- . ':!turngraph' | tar --null -T - -cf - | tar -xf - -C $(WHEEL_TREE)
	cd $(WHEEL_TREE) && $(abspath $(WHEEL_VENV))/bin/python -W error -m tests.wheel $(abspath dist)/*.whl
	cd $(WHEEL_TREE) && $(abspath $(WHEEL_VENV))/bin/turngraph run "What is 6 * 7?" --quiet
	$(UV) pip install --quiet --python $(WHEEL_VENV)/bin/python --require-hashes -r requirements.lock
	cd $(WHEEL_TREE) && $(abspath $(WHEEL_VENV))/bin/pytest -n $(WORKERS) -q $(TESTS)

release-check: install wheel  ## build, check metadata and links, try each extra alone; nothing is uploaded
	$(RUN)twine check --strict dist/*
	$(RUN)python -m tests.release dist

lock: | $(UV)  ## renew requirements.lock and the locks of the benchmarks
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --all-extras --group dev pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group pyproject.toml:contenders -o benchmarks/contenders.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --group pyproject.toml:gateways -o benchmarks/gateways.lock

clean:  ## forget everything installed or built
	rm -rf .venv .bench .looks .gateways .wheel .newest .lowest .langgraph .clients .uv build dist docs/_build docs/reference/rooms *.egg-info .mypy_cache .ruff_cache .langgraph_api
