# Everything a clone needs: Python 3.11 or newer, pip and make.
#
# Each install leaves a stamp inside .venv, so it is repeated only when pyproject.toml or
# constraints.txt changes. All paths are relative: the checkout may lie in a folder with spaces.

PYTHON ?= python3

venv := .venv
bin := $(venv)/bin
install := $(bin)/python -m pip --disable-pip-version-check install -c constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two installs at once would tread on each other inside .venv.
.NOTPARALLEL:
.PHONY: help demo test lint bench clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(venv)/.run  ## Install, then train a network on the bundled voices, write report.html
	$(bin)/skspeech demo --report report.html

test: lint  ## Install the test tools, check style and types, run the tests
	$(bin)/python -m pytest

lint: $(venv)/.test  ## Check style and types only
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy

bench: $(venv)/.bench  ## Measure speed
	$(bin)/python -m pytest benchmarks

clean:  ## Remove the virtual environment and every cache
	rm -rf $(venv) .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --clear: an environment that was interrupted half-way is no base to build on. The version is
# checked first, because pip would object only after the wrong interpreter is inside.
$(venv)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo '$(PYTHON) is missing or older than 3.11. Name another: make PYTHON=python3.12 demo'; \
	  exit 1; } >&2
	$(PYTHON) -m venv --clear $(venv)
	@touch $@

$(venv)/.run: $(venv)/.created pyproject.toml constraints.txt
	$(install) -e '.[report]'
	@touch $@

$(venv)/.test: $(venv)/.created pyproject.toml constraints.txt
	$(install) -e '.[test]'
	@touch $@

$(venv)/.bench: $(venv)/.created pyproject.toml constraints.txt
	$(install) -e '.[bench]'
	@touch $@
