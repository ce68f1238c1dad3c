# Two commands for a newcomer: `make demo` and `make test`. Each does all of its own set-up.
.PHONY: help setup demo test check clean
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
	$(BIN)/pytest

check: setup  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove the virtual environment and the demo's output; downloads in the user cache stay
	rm -rf .venv demo
