# Everything runs in .venv, made on first use. PIP_ARGS goes to pip, e.g. for the CPU build of torch:
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install demo demo-mri test check docs test-web slow test-newest-ray clean

help:
	@echo "make demo   the whole study on a made-up cohort; ends with demo/study/report.html"
	@echo "make demo-mri   the same of MRI and two simulated readers; demo-mri/study/report.html"
	@echo "make test   format, lint, types, documentation, tests"
	@echo "make docs   the documentation site, build/site/index.html"
	@echo "make test-web  the pages of a report in Chromium; STUDY=demo/study adds its pages"
	@echo "make slow   tests that take minutes"
	@echo "make test-newest-ray   the tests of the stages on the newest Ray"
	@echo "make clean  remove .venv and what demo made"

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: install
	$(BIN)/idhray make-phantom --preset demo --out demo/phantom
	$(BIN)/idhray study --preset demo --manifest demo/phantom/manifest.csv --out demo/study

demo-mri: install
	$(BIN)/idhray make-phantom --preset demo-mri --out demo-mri/phantom
	$(BIN)/idhray study --preset demo-mri --manifest demo-mri/phantom/manifest.csv \
		--normals demo-mri/phantom/normals.csv --out demo-mri/study

test: install check docs
	$(BIN)/pytest -n 3
	@echo "left out: pages in a browser (make test-web), tests that take minutes (make slow)"

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# STUDY=demo/study also looks at the pages of that study.
test-web: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[web]"
	STUDY=$(STUDY) $(BIN)/pytest -m web tests/web

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

slow: install
	$(BIN)/pytest -m slow

# The stage tests on the newest Ray that the index serves, in an environment of its own.
test-newest-ray:
	$(PYTHON) -m venv .venv-newest-ray
	.venv-newest-ray/bin/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable ".[dev]"
	.venv-newest-ray/bin/python -m pip install --quiet --upgrade "ray[default,data,train,tune]"
	@.venv-newest-ray/bin/python -c "import ray; print('newest Ray of the index:', ray.__version__)"
	@echo "that of make test: $$(grep '^ray==' constraints.txt)"
	.venv-newest-ray/bin/python -m pytest -n 3 tests/stages

clean:
	rm -rf $(VENV) demo demo-mri
