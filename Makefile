# make demo | judge-demo | test | env | lint | dag | lock
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/requirements.lock
CORES ?= 2

.PHONY: demo judge-demo test env lint dag lock

demo: env ## Synthetic cohorts through the whole workflow, results in results/demo
	$(BIN)/snakemake --profile demo --cores $(CORES)
	$(BIN)/snakemake --profile demo --report results/demo/report.html

judge-demo: env ## Label maps of three bad segmenters are judged, without any training, results in results/judge_demo
	$(BIN)/snakemake --profile demo --configfile judge.yaml demo/judge.yaml --cores $(CORES)
	$(BIN)/snakemake --profile demo --configfile judge.yaml demo/judge.yaml --report results/judge_demo/report.html

# Two processes more than cores, for some tests wait for SLURM most of the time.
test: env ## All tests
	$(BIN)/python -m pytest -n $$(($(CORES) + 2)) --dist loadscope --no-loadscope-reorder --durations 20 tests

lint: env ## Style, spelling, types and import contract of the code, and Snakemake's own checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/codespell
	$(BIN)/mypy
	PYTHONPATH=workflow_scripts $(BIN)/lint-imports --no-cache
	$(BIN)/snakemake --lint

dag: env ## The rule graph as text for Graphviz
	$(BIN)/snakemake --rulegraph dot

# The environment is rebuilt when the lock's content changes, not when it is merely newer.
env:
	@cmp -s envs/requirements.lock $(STAMP) || $(MAKE) --no-print-directory $(VENV)

.PHONY: $(VENV)
$(VENV):
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/bootstrap.lock
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes envs/requirements.lock
	cp envs/requirements.lock $(STAMP)

lock: $(BIN)/uv ## Renew the lock after envs/requirements.txt changed; the conda files follow by hand
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  envs/requirements.txt -o envs/requirements.lock
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  envs/bootstrap.txt -o envs/bootstrap.lock

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/bootstrap.lock
