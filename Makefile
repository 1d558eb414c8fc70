# Talking Points: what analysts type. Every target sets up what it needs; `make help` lists them.
#
# Variables: IN= OUT= CODEBOOK= SEED= PORT= ONCE=1 ANNOTATORS="anna ben" CHANNEL=
# All paths here are relative, so that the checkout may stand anywhere, in folders with blanks too.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
STUDIO_VENV := .venv-studio
RUN := $(VENV)/bin/python -m service.cli
PIP := -m pip --disable-pip-version-check install --quiet --progress-bar off
SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# The first interpreter of a supported version; PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo $$p; break; }; done)

export TALKINGPOINTS_STUDIO_ENV ?= $(STUDIO_VENV)
ifdef CODEBOOK
export TALKINGPOINTS_CODEBOOK := $(CODEBOOK)
endif
SEED ?= 0

.PHONY: help install demo test studio studio-down import push pull agreement train evaluate report serve tag \
	status bench soak check lock clean

help: ## This list
	@echo 'Talking Points. Targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo 'Start with: make demo'

install: $(VENV)/.base ## Set up .venv: train, evaluate, tag and serve (no Label Studio)

demo: $(VENV)/.base $(STUDIO_VENV)/.ready ## The whole job on the sample posts; stays up until Ctrl-C (ONCE=1: ends by itself)
	@$(RUN) demo $(if $(ONCE),--once) $(if $(PORT),--port $(PORT))

test: $(VENV)/.dev $(STUDIO_VENV)/.ready ## All tests, also against a real Label Studio
	@$(VENV)/bin/python -m pytest $(ARGS)

studio: $(VENV)/.base $(STUDIO_VENV)/.ready ## Start a local Label Studio with a project (ANNOTATORS="anna ben")
	@$(RUN) studio up $(foreach name,$(ANNOTATORS),--annotator $(name)) $(if $(PORT),--port $(PORT))

studio-down: $(VENV)/.base ## Stop the local Label Studio
	@$(RUN) studio down

import: $(VENV)/.base ## Import posts: IN=FILE [CHANNEL=NAME]
	@$(call need,IN,the file to import)
	@$(RUN) import $(if $(CHANNEL),--channel "$(CHANNEL)") "$(IN)"

push: $(VENV)/.base ## Send posts (and the active model's predictions) to Label Studio
	@$(RUN) push

pull: $(VENV)/.base ## Fetch annotations from Label Studio [OUT=labels.jsonl]
	@$(RUN) pull $(if $(OUT),--out "$(OUT)")

agreement: $(VENV)/.base ## Agreement between annotators, tag by tag [IN=labels.jsonl]
	@$(RUN) agreement $(if $(IN),--labels "$(IN)")

train: $(VENV)/.base ## Train a model and make it the active one [IN=labels.jsonl] [OUT=FOLDER] [SEED=0]
	@$(RUN) train --seed $(SEED) $(if $(IN),--labels "$(IN)") $(if $(OUT),--out "$(OUT)")

evaluate: $(VENV)/.base ## Judge the active model on labels it was not trained on [IN=labels.jsonl]
	@$(RUN) evaluate $(if $(IN),--labels "$(IN)")

report: $(VENV)/.base ## Write the report, pages to read offline, to OUT=FOLDER [workspace/reports/report] [IN=labels.jsonl]
	@$(RUN) report $(if $(OUT),--out "$(OUT)") $(if $(IN),--labels "$(IN)")

serve: $(VENV)/.base ## Serve the HTTP API and its page on 127.0.0.1 [PORT=8000]
	@$(RUN) serve $(if $(PORT),--port $(PORT))

tag: $(VENV)/.base ## Tag posts: IN=FILE, FOLDER or ledger, OUT=FILE (.parquet, .csv, .jsonl) [ARGS="--changed"]
	@$(call need,IN,the posts to tag)
	@$(call need,OUT,the file to write)
	@$(RUN) tag $(ARGS) "$(IN)" "$(OUT)"

status: $(VENV)/.base ## What is where: posts, tasks, annotations, model, last sync
	@$(RUN) status

bench: $(VENV)/.dev $(STUDIO_VENV)/.ready ## The measured claims of the README, each printed by its command
	@$(VENV)/bin/python -m benchmarks

soak: $(VENV)/.soak $(STUDIO_VENV)/.ready ## Two hours of kills, fuzzing and many examples; a table at the end [ARGS="--only import push"]
	@$(VENV)/bin/python -m soak $(ARGS)

check: $(VENV)/.dev ## Lint, types and the direction of imports
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

clean: ## Remove the environments and what the demo and the tests made (never workspace/)
	@rm -rf $(VENV) $(STUDIO_VENV) workspace-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist

# ---------------------------------------------------------------- environments

define need
test -n "$($(1))" || { echo "make $@ needs $(1)=: $(2)" >&2; exit 2; }
endef

define make_venv
@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 with venv was found. Install one (on Debian also python3-venv)," >&2; \
	echo "or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
@test -x $(1)/bin/python || { rm -rf $(1) && "$(PYTHON)" -m venv $(1); }
endef

$(VENV)/.base: requirements/base.txt pyproject.toml
	$(call make_venv,$(VENV))
	@echo 'Setting up .venv (about 900 MB, a minute or two) ...'
	@$(VENV)/bin/python $(PIP) --require-hashes -r requirements/base.txt
	@$(VENV)/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	@echo 'Adding what the tests need to .venv ...'
	@$(VENV)/bin/python $(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.soak: $(VENV)/.dev requirements/soak.txt
	@$(VENV)/bin/python $(PIP) --require-hashes -r requirements/soak.txt
	@touch $@

$(STUDIO_VENV)/.ready: requirements/studio.txt
	$(call make_venv,$(STUDIO_VENV))
	@echo 'Setting up Label Studio in .venv-studio (about 1 GB, two minutes) ...'
	@$(STUDIO_VENV)/bin/python $(PIP) --require-hashes -r requirements/studio.txt
	@touch $@

LOCK = uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet
lock: ## Renew the pinned requirements (needs uv)
	$(LOCK) pyproject.toml requirements/build.in --extra studio --extra postgresql --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml requirements/build.in --extra studio -c requirements/dev.txt -o requirements/base.txt
	$(LOCK) --group pyproject.toml:soak -o requirements/soak.txt
	$(LOCK) requirements/studio.in -o requirements/studio.txt
