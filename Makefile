# For a newcomer: `make demo`, `make test` and `make docs`. Each does all of its own set-up.
.PHONY: help setup demo test check docs audit clean
.DEFAULT_GOAL := help

BIN := .venv/bin
SAMPLES ?= emoji

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready  ## the virtual environment in .venv

.venv/.ready: setup.sh pyproject.toml constraints.txt
	sh setup.sh

demo: setup  ## measure, adapt, measure again, index and search sample pictures (SAMPLES=emoji|stamps)
	@$(BIN)/polyglance demo --samples $(SAMPLES) --output demo/$(SAMPLES)

test: setup  ## fetch the pretrained towers once, then run every test offline
	@$(BIN)/polyglance download mini emoji detector
	$(BIN)/pytest -n logical --maxprocesses 8 --dist worksteal

check: setup  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.docs-ready  ## the documentation as a site in docs/_build/html, every link checked
	$(BIN)/python -m sphinx -b html -W --keep-going -n -q docs docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

.venv/.docs-ready: .venv/.ready
	$(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt -e ".[docs]"
	@touch $@

audit: .venv/.audit-ready  ## ask, over the network, whether pinned versions have known vulnerabilities
	$(BIN)/python .ci/audit.py $(AUDIT)

.venv/.audit-ready: .venv/.ready
	$(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt -e ".[audit]"
	@touch $@

clean:  ## remove the virtual environment, the demo's output and the site; downloads in the user cache stay
	rm -rf .venv demo docs/_build
