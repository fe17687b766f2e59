# Two commands matter: `make book` and `make test`. Each line calls one tool.
# What the tools do in detail stands in their own files.

PYTHON ?= python3
BIN := .venv/bin
CHAPTERS := $(if $(CHAPTER),chapters/$(CHAPTER).ipynb)
PYTEST := OMP_NUM_THREADS=1 BOOK_SCALE=smoke $(BIN)/python -m pytest \
	-n 2 --dist loadfile

.PHONY: help setup book test execute record serve clean

help:
	@echo "make book      build the pages into _build/html"
	@echo "make test      run every test (builds the book first)"
	@echo "make serve     show the built book on http://127.0.0.1:8000"
	@echo "make execute   run the chapters and store their outputs;"
	@echo "               one of them: make execute CHAPTER=02_alexnet"
	@echo "make record    train one of a chapter's full runs, log it in results/;"
	@echo "               CHAPTER=06_resnet RUN=resnet-20 SEED=0"
	@echo "make setup     only make the environment .venv"
	@echo "make clean     delete what was built, keep .venv"

setup: .venv/ready

# The exact versions that are tested. uv, because it can be told what d2l
# really needs (pyproject.toml) and installs in seconds.
.venv/ready: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "The book needs Python 3.11 or newer, and $(PYTHON) is" \
		"$$($(PYTHON) -V 2>&1). Name another: make setup PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.9
	$(BIN)/python -m uv pip install --python $(BIN)/python -r requirements.lock
	@touch $@

book: .venv/ready
	$(BIN)/jupyter-book build --all -W -n --keep-going .
	@echo
	@echo "The book: $(CURDIR)/_build/html/index.html"
	@echo "Open that file in a browser, or type: make serve"

test: book
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(PYTEST) tests
	$(PYTEST) --nbval-lax --nbval-current-env --nbval-cell-timeout=300 chapters
	@echo
	@echo "All passed: the build without warnings, ruff, codespell,"
	@echo "the tests in tests/, and every chapter executed at smoke scale."

execute: .venv/ready
	$(BIN)/python tools/execute.py $(CHAPTERS)

record: .venv/ready
	$(BIN)/python tools/record.py $(CHAPTER) $(RUN) --seed $(or $(SEED),0)

serve:
	@test -f _build/html/index.html || { echo "First: make book"; exit 1; }
	$(PYTHON) -m http.server 8000 --bind 127.0.0.1 --directory _build/html

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
