# Everything here is a small program in tests/tools; this file only gives it a short name.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-faults unit contract ecosystem molecule lint docs clean
PYTHON ?= python3
RUN := $(PYTHON) -u tests/tools
IN_VENV := .venv/bin/python -u tests/tools

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup:  ## virtual environments and the collection link (80 s; later nothing)
	@$(RUN)/setup.py

demo:  ## two simulated Sparks, the bring-up, and one answer (7 min; later 2)
	@$(RUN)/demo.py

test:  ## everything, from nothing (48 min; later 42)
	@$(RUN)/run_tests.py

test-faults: setup  ## a cluster broken in every way there is, and docs/faults.md of it (80 min); ONLY=name
	@$(IN_VENV)/run_faults.py $(if $(ONLY),--only '$(ONLY)')

unit:  ## unit tests on both ansible-core versions
	@$(RUN)/run_tests.py unit

contract:  ## contract tests on both ansible-core versions
	@$(RUN)/run_tests.py contract

ecosystem: setup  ## sanity, ansible-lint, docs, importer, types (1-3 min); ONLY=name for one
	@$(IN_VENV)/ecosystem.py $(if $(ONLY),--only $(ONLY))

molecule:  ## the scenarios on simulated Sparks (about 34 min)
	@$(RUN)/run_tests.py molecule

lint: setup  ## the quick part of ecosystem: ruff, mypy, ansible-lint
	@$(IN_VENV)/ecosystem.py --only ruff --only mypy --only ansible-lint

docs: setup  ## write docs/reference from the plugins' and roles' own documentation
	@$(IN_VENV)/docs.py

clean:  ## undo setup, demo and test
	@$(RUN)/clean.py
