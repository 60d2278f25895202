# Everything a newcomer types. Needs Python 3.11 or newer and make; the rest is installed into .venv.

.DEFAULT_GOAL := help
.PHONY: help run test check bench figures format lock messages clean
export PORT

PYTHON := .venv/bin/python

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: ## Start API, admin and docs on 127.0.0.1:$PORT (8000 unless set)
	@sh scripts/setup.sh requirements.txt
	@exec $(PYTHON) manage.py serve

test: ## Run every test on SQLite, and on PostgreSQL, Redis and a Celery worker where they are reachable
	@sh scripts/setup.sh requirements-dev.txt
	@exec $(PYTHON) scripts/test.py $(ARGS)

check: ## Style, types, layers, migrations, deployment settings, OpenAPI document
	@sh scripts/setup.sh requirements-dev.txt
	@exec $(PYTHON) scripts/check.py

bench: ## Measure requests per second, latencies and SQL statements
	@sh scripts/setup.sh requirements-dev.txt
	@exec $(PYTHON) -m benchmarks $(ARGS)

figures: ## Measure everything on SQLite, and on PostgreSQL where BENCH_DATABASE_URL names one, for docs/benchmarks.md
	@sh scripts/setup.sh requirements-dev.txt
	@BENCH_DATABASE_URL= BENCH_REDIS_URL= $(PYTHON) -m benchmarks --document docs/benchmarks.md $(ARGS)
	@if [ -n "$$BENCH_DATABASE_URL" ]; then exec $(PYTHON) -m benchmarks --document docs/benchmarks.md $(ARGS); fi

format: ## Format the code and mend what can be mended by machine
	@sh scripts/setup.sh requirements-dev.txt
	@$(PYTHON) -m ruff check --fix-only --quiet .
	@$(PYTHON) -m ruff format --quiet .

lock: ## Pin requirements*.in with hashes into requirements*.txt
	@sh scripts/setup.sh requirements-dev.txt
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	@for name in requirements requirements-dev; do \
	  echo "Locking $$name.in"; \
	  $(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	    --no-emit-index-url --no-emit-find-links --no-header $(ARGS) -o $$name.txt $$name.in || exit 1; \
	done

messages: ## Collect and compile what shoppers read, in every language
	@sh scripts/setup.sh requirements-dev.txt
	@exec $(PYTHON) scripts/messages.py $(ARGS)

clean: ## Remove the environment and this checkout's data (the demo store among them)
	@rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
