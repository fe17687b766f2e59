# Two commands matter: `make book` and `make test`. Each line calls one tool.
# What the tools do in detail stands in their own files.

PYTHON ?= python3
BIN := .venv/bin
CHAPTERS := $(if $(CHAPTER),chapters/$(CHAPTER).ipynb)
PYTEST := OMP_NUM_THREADS=1 BOOK_SCALE=smoke $(BIN)/python -m pytest -n 2

# With AVX2=1 a recipe runs as on a machine that has AVX2 and no more: most
# laptops, and Colab without a GPU.
ifdef AVX2
export ATEN_CPU_CAPABILITY := avx2
export ONEDNN_MAX_CPU_ISA := AVX2
export MKL_ENABLE_INSTRUCTIONS := AVX2
endif

.PHONY: help setup anew book editions test test-all smoke execute verify \
	record record-all release grading serve clean

help:
	@echo "make book      build the pages into _build/html"
	@echo "make editions  make notebooks, handouts and zips for a class"
	@echo "make test      build the book, run the tests and every chapter"
	@echo "make test-all  the same, and the tests that are long"
	@echo "make serve     show the built book on http://127.0.0.1:8000"
	@echo "make execute   run the chapters and store their outputs;"
	@echo "               one of them: make execute CHAPTER=02_alexnet"
	@echo "make verify    run the chapters alone in an empty folder, twice,"
	@echo "               and note date and versions for the pages"
	@echo "make record    log one of a chapter's full runs or experiments;"
	@echo "               CHAPTER=06_resnet RUN=resnet-20 SEED=0"
	@echo "make record-all  log all that a chapter wants and has not yet;"
	@echo "               CHAPTER=08_comparison, two at a time with -j2"
	@echo "make release   tag an edition of main: VERSION=2027.1"
	@echo "make grading   for teachers: make .venv-grading, with nbgrader"
	@echo "make setup     only make the environment .venv"
	@echo "make clean     delete what was built, keep .venv"

setup: .venv/ready

# A .venv is made anew when it is unfinished, when its Python is gone, and when
# PYTHON= names another Python than it has.
HAVE := $(shell $(BIN)/python -V 2>/dev/null)
WANT := $(if $(filter file,$(origin PYTHON)),$(or $(HAVE),any),\
	$(or $(shell $(PYTHON) -V 2>&1),none))
ANEW := $(if $(wildcard .venv/ready),$(filter-out $(HAVE),$(WANT)),yes)

# The exact versions that are tested. uv, because it can be told what d2l
# really needs (pyproject.toml) and installs in seconds.
.venv/ready: requirements.lock $(if $(ANEW),anew)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.9
	@$(BIN)/python -m uv pip install --python $(BIN)/python \
		-r requirements.lock || { echo "If uv has no place for its cache:" \
		"make setup UV_CACHE_DIR=/a/folder/that/you/can/write"; exit 1; }
	@touch $@

anew:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "The book needs Python 3.11 or newer, and $(PYTHON) is" \
		"$$($(PYTHON) -V 2>&1). Name another: make setup PYTHON=..."; exit 1; }
	$(PYTHON) -m venv --clear .venv

book: .venv/ready
	$(BIN)/python $(BIN)/jupyter-book build --all -W -n --keep-going .
	@echo
	@echo "The book: $(CURDIR)/_build/html/index.html"
	@echo "Open that file in a browser, or type: make serve"

editions: book
	$(BIN)/python tools/editions.py
	$(BIN)/python tools/handouts.py
	$(BIN)/python tools/zips.py

test: book
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python $(BIN)/codespell
	$(PYTEST) --dist worksteal -m "not long" tests
	@$(MAKE) --no-print-directory smoke
	@echo
	@echo "All passed: the build without warnings, ruff, codespell,"
	@echo "the tests in tests/, and every chapter executed at smoke scale."
	@echo "Left to make test-all, which takes longer:"
	@echo "- the pages in every size and colour scheme"
	@echo "- every reader's needs on every page"
	@echo "- every reader's needs in all figures"
	@echo "- the figures in Firefox and, where it is, WebKit"
	@echo "- the recorded ResNet-20 in the page, 2,000 images"
	@echo "- 160 more random networks in the page"
	@echo "- the gradients of all networks, with AVX2 and with all instructions"
	@echo "- grading with nbgrader, there and back"
	@echo "- more of two processes: who dies, make, the page's job"
	@echo "- each chapter alone in an empty folder, twice"
	@echo "- the student editions of all chapters, as given and solved"
	@echo "- the handouts of all chapters"
	@echo "- two student editions from their zip, without a network"
	@echo "- the zips with a real handout"
	@echo "- a training whose kernel is lost"
	@echo "- every chapter once more as on a processor without AVX-512"

test-all: test
	$(PYTEST) --dist worksteal -m long tests
	@echo
	@if $(BIN)/python -c 'import sys, torch; sys.exit("AVX512" not in \
		torch.backends.cpu.get_cpu_capability())'; \
	then $(MAKE) --no-print-directory smoke AVX2=1; \
	else echo "No AVX-512 here: the chapters ran without it above."; fi
	@echo
	@echo "All passed, what is long included."

# nbval wants the cells of a notebook on one worker.
smoke: .venv/ready
	$(PYTEST) --dist loadfile --nbval-lax --nbval-current-env \
		--nbval-cell-timeout=300 $(or $(CHAPTERS),chapters)

execute: .venv/ready
	$(BIN)/python tools/execute.py $(CHAPTERS)

verify: .venv/ready
	$(BIN)/python tools/alone.py --record $(CHAPTERS)

record: .venv/ready
	$(BIN)/python tools/record.py $(CHAPTER) $(RUN) --seed $(or $(SEED),0) \
		$(if $(PRECISION),--precision $(PRECISION))

# The jobs are independent, and make runs as many at a time as -j allows.
record-all: .venv/ready
	@logs=$$($(BIN)/python tools/record.py $(CHAPTER) --list) && \
		if [ "$$logs" ]; then $(MAKE) --no-print-directory $$logs; \
		else echo "No log is missing that could be recorded now."; fi

# results/06_resnet/resnet-20-seed0.json: record.py 06_resnet resnet-20 --seed 0
results/%.json:
	$(BIN)/python tools/record.py $(subst /, ,$(subst -seed, --seed ,$*))

release: .venv/ready
	@$(BIN)/python tools/release.py "$(VERSION)"

# For teachers: nbgrader in an environment of its own. What it grades runs with
# the Python of .venv, at smoke scale, under the name of "convnets".
grading: .venv-grading/ready

.venv-grading/ready: requirements-grading.lock .venv/ready
	$(BIN)/python -m venv --clear .venv-grading
	$(BIN)/python -m uv pip install --python .venv-grading/bin/python \
		-r requirements-grading.lock
	$(BIN)/python -m ipykernel install --prefix .venv-grading \
		--name convnets --env BOOK_SCALE smoke --env OMP_NUM_THREADS 1
	@touch $@

serve: # on port 8000, or on any other where that is taken
	@test -f _build/html/index.html || { echo "First: make book"; exit 1; }
	$(PYTHON) -m http.server --bind 127.0.0.1 --directory _build/html \
		$$($(PYTHON) -c 'from socket import socket; \
		print(8000 * bool(socket().connect_ex(("127.0.0.1", 8000))))')

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
