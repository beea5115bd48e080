# `make reproduce` runs the default config and shows what it found; `make test` runs the tests.
# Both make .venv first where there is none. CONFIG=config/NAME.yaml chooses another run, CONSTRAINTS
# another file of versions than those that the tests are known to pass with.
PYTHON ?= python3
CONFIG ?= config/config.yaml
CONSTRAINTS ?= constraints.txt
MINUTES ?= 30
SEED ?= 0
ENVIRONMENT ?= .venv
BIN := $(ENVIRONMENT)/bin
INSTALLED := $(ENVIRONMENT)/installed
CONFIGFILE = $(if $(filter-out config/config.yaml,$(CONFIG)),--configfile "$$CONFIG")
export CONFIG

.PHONY: reproduce test test-long test-slow test-gpu test-oldest torture lint docs config pages format verify clean

reproduce: $(INSTALLED)
	@$(BIN)/python -m nenni check "$$CONFIG"
	$(BIN)/python -m snakemake $(CONFIGFILE)
	$(BIN)/python -m snakemake $(CONFIGFILE) --report report.html --quiet all
	@$(BIN)/python -m nenni show --config "$$CONFIG"

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-long: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "long and not slow"

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

test-gpu: $(INSTALLED)
	$(BIN)/python -m pytest -m gpu

test-oldest:
	$(MAKE) test test-long ENVIRONMENT=.venv-oldest CONSTRAINTS=.github/oldest.txt

torture: $(INSTALLED)
	$(BIN)/python workflow/scripts/torture.py --minutes $(MINUTES) --seed $(SEED)

lint: $(INSTALLED) docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

config: $(INSTALLED)
	$(BIN)/python workflow/scripts/config_pages.py

pages: $(INSTALLED)
	$(BIN)/python workflow/scripts/result_pages.py
	$(BIN)/python workflow/scripts/found_page.py

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt workflow

verify: $(INSTALLED)
	$(BIN)/python -m nenni verify $(dir $(wildcard results/*/manifests))

clean:
	rm -rf .venv .venv-oldest .snakemake .nenni build site *.egg-info

$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(ENVIRONMENT)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c $(CONSTRAINTS) -e ".[dev]"
	touch $@
