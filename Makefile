# Two commands on a fresh machine: `make demo` and `make test`. Only python3 (with venv) and make are assumed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test lint docs montecarlo corruption kills search bench clean

demo: $(READY)
	$(BIN)/whatworks demo

test: lint $(READY)
	$(BIN)/pytest -n 2 -q -m "not montecarlo"
	$(MAKE) docs

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

montecarlo: $(READY)
	$(BIN)/pytest -n 2 -q -m montecarlo tests/montecarlo

corruption: $(READY)
	CORRUPTION_RUNS=500 $(BIN)/pytest -n 2 -q tests/corruption

kills: $(READY)
	WHATWORKS_KILLS=20 $(BIN)/pytest -q tests/unit/panel/test_build.py -k killed

# New random cases for the property tests, until one fails or patience ends.
search: $(READY)
	HYPOTHESIS_PROFILE=search WHATWORKS_EXAMPLES=40 $(BIN)/pytest -n 2 -q tests/properties

# walk, panel, xml_flux, link, match, optimal, pairwise, risk_sets, did or displacement
BENCH ?= walk
bench: $(READY)
	$(BIN)/python benchmarks/$(BENCH).py

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) docs/_build out
