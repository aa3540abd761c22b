# Two commands matter: `make run` does the main job, `make test` passes the tests.
# Each sets up everything it needs; a machine needs Python 3.11 or newer, make and git.

PYTHON ?= python3
# Three times as many as cores: most of what needs servers waits for them.
PROCESSES ?= 6
UV_VERSION := 0.13.9
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
TOOLS := $(CURDIR)/.tools
UV := $(TOOLS)/bin/uv
BIN := $(CURDIR)/.venv/bin
TRAINER := UV_PROJECT_ENVIRONMENT=.venv-trainer $(UV)
TRAINER_CPU := UV_PROJECT_ENVIRONMENT=.venv-trainer-cpu $(UV)
# What PyTorch needs on a GPU alone; tests/support/cpu_torch.py stands in for it.
CUDA := nvidia-cublas nvidia-cuda-cccl nvidia-cuda-cupti nvidia-cuda-nvrtc nvidia-cudnn-cu13 \
	nvidia-cufft nvidia-cufile nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 \
	nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvtx cuda-bindings cuda-pathfinder triton
CODE := schemas services tests examples k8s triton_models/backends

export PATH := $(TOOLS)/bin:$(PATH)
# Python keeps what it has compiled: else each start of a service costs twice as much and more.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: expected Python 3.11 or newer, got $$($(PYTHON) --version 2>&1); set PYTHON=…" >&2; exit 2; }
	@echo "setup: installing uv $(UV_VERSION) into .tools"
	@PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip install --quiet --disable-pip-version-check --target $(TOOLS) --upgrade uv==$(UV_VERSION)

# On a fresh machine one line says what takes so long; later there is nothing to say.
FRESH = test -d .venv || echo "setup: installing packages from uv.lock into .venv, some minutes on a fresh machine"

.PHONY: runtime
runtime: $(UV)
	@$(FRESH)
	@$(UV) sync --quiet --frozen --no-dev --inexact $(if $(OPCUA)$(MQTT),--extra opcua) $(if $(NOTIFY),--extra notify) $(if $(PLANT),--extra plant)

.PHONY: setup
setup: $(UV) ## Install everything that running and testing need
	@$(FRESH)
	@$(UV) sync --quiet --frozen --inexact

.PHONY: run
run: runtime ## Do the main job: broker, Redis, Triton, services, simulated furnaces (DURATION= SOURCES= FURNACES= SEED= SUMMARY= OPCUA=yes MQTT=HOST:PORT NOTIFY=channels.yaml PLANT=plant.yaml)
	@$(if $(MQTT),MELTWATCH_MQTT=$(MQTT)) $(BIN)/meltwatch run \
		$(if $(DURATION),--duration $(DURATION)) $(if $(SOURCES),--sources $(SOURCES)) \
		$(if $(FURNACES),--furnaces $(FURNACES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(SUMMARY),--summary $(SUMMARY)) $(if $(OPCUA)$(MQTT),--opcua) $(if $(NOTIFY),--notify $(NOTIFY)) $(if $(PLANT),--plant $(PLANT))

IN_PARALLEL = -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
# A camera's clock is held against this machine's: nothing else may keep the machine busy.
ALONE := tests/integration/sources/test_event_times.py

.PHONY: test
test: setup ## Run the test suite against real Kafka, Redis and Triton (PROCESSES= at once, 6 by default), or one test, long ones too (T=path or node id)
	@$(if $(T),,$(BIN)/python -m meltwatch_local_cluster.servers.warm_up)
	@$(if $(T),,$(BIN)/pytest $(ALONE))
	@$(BIN)/pytest $(if $(T),$(T),$(IN_PARALLEL) --ignore=$(ALONE) -m "not k8s and not long")

.PHONY: test-long
test-long: setup ## Run what the suite leaves out for its length: every campaign of faults, every page and width
	@$(BIN)/python -m meltwatch_local_cluster.servers.warm_up
	@$(BIN)/pytest tests/chaos tests/console_load tests/e2e tests/integration tests/unit/cli tests/unit/k8s $(IN_PARALLEL) -m long

.PHONY: test-unit
test-unit: setup ## Run the tests that need no server and start no program, properties with a third of their examples (make test has all of them)
	@$(BIN)/pytest tests/unit tests/architecture tests/contract/wire -n auto --dist loadfile -m "not long and not programs" --hypothesis-profile=quick -o tmp_path_retention_policy=failed

.PHONY: test-trainer
test-trainer: $(UV) ## Run the trainer's tests (installs PyTorch for the processor, about 2 GB)
	@$(TRAINER_CPU) sync --frozen --inexact --package meltwatch-trainer $(addprefix --no-install-package ,$(CUDA))
	@.venv-trainer-cpu/bin/python tests/support/cpu_torch.py
	@.venv-trainer-cpu/bin/python -m pytest tests/unit/trainer --confcutdir=tests/unit/trainer -n auto

.PHONY: test-k8s
test-k8s: setup $(if $(BUILT),,images) ## Try the laptop overlays on the test cluster of KUBECONFIG (T= REGISTRY=localhost:5000 or LOAD="kind load docker-image"; CONTEXT= BUILT=yes CLOSED=yes; as for images)
	@LOAD="$(LOAD)" CONTEXT="$(CONTEXT)" REGISTRY="$(REGISTRY)" CLOSED="$(CLOSED)" BUILDER="$(BUILDER)" \
		$(BIN)/pytest $(or $(T),tests/k8s) -m k8s -x -s -p no:randomly

.PHONY: manifests
manifests: setup ## Render the Kubernetes overlays, held against Kubernetes' schemas and our settings (OVERLAY=laptop)
	@$(BIN)/pytest tests/unit/k8s -q >&2
	@$(BIN)/kubectl kustomize k8s/overlays/$(or $(OVERLAY),laptop)

.PHONY: properties
properties: setup ## Try each property with twenty times as many examples as the tests do, and with others each time
	@$(BIN)/pytest tests/unit -m "hypothesis or wide" --hypothesis-profile=long --timeout=3600 -n auto

.PHONY: chaos
chaos: setup $(if $(CAMPAIGN),,properties) ## Break everything again and again on real servers, and count what is lost (CAMPAIGN= ROUNDS= SEED=)
	@$(BIN)/python -m tests.chaos $(addprefix --campaign ,$(CAMPAIGN)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

.PHONY: chaos-mutants
chaos-mutants: setup ## Break one rule of delivery at a time: the campaigns must notice each
	@$(BIN)/python -m tests.chaos --mutants

.PHONY: pictures
pictures: setup ## Take the pictures of docs/console.md anew: a simulated plant, a real console, Chromium
	@$(BIN)/python -m tests.integration.console.pictures

.PHONY: bench
bench: setup ## Measure speed beside bare baselines and write docs/benchmarks.md (ROWS="pure" or beginnings of rows only prints, KEEP=yes writes them too; COMPARE=REV measures another revision beside this one)
	@$(BIN)/python -m tests.bench $(ROWS) $(if $(KEEP),--keep) $(if $(COMPARE),--compare $(COMPARE))

.PHONY: bench-console
bench-console: setup ## Hold the console against its budgets, 1,000 furnaces and 50 browsers on a real broker (MINUTES=10 FURNACES= STREAMS=)
	@$(BIN)/python -m tests.console_load $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(FURNACES),--furnaces $(FURNACES)) $(if $(STREAMS),--streams $(STREAMS))

.PHONY: check
check: fmt-check lint types imports lock-check test test-trainer test-long ## Everything that CI runs, in order of speed

.PHONY: fmt
fmt: setup ## Format the code
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix-only --quiet $(CODE)

.PHONY: fmt-check
fmt-check: setup
	@$(BIN)/ruff format --check $(CODE)

.PHONY: lint
lint: setup ## Lint
	@$(BIN)/ruff check $(CODE)

.PHONY: types
types: setup ## Check types
	@$(BIN)/mypy schemas/src $(wildcard services/*/src services/libs/*/src)
	@$(BIN)/mypy --follow-imports=silent tests/chaos/mutant.py

.PHONY: imports
imports: setup ## Check who imports whom
	@$(BIN)/lint-imports

.PHONY: lock-check
lock-check: $(UV)
	@$(UV) lock --check --quiet

.PHONY: golden
golden: setup ## Write golden bytes for messages that have none yet
	@$(BIN)/python -m tests.support.golden

.PHONY: schemas
schemas: setup ## Write what is made from the code: AsyncAPI, OpenAPI, JSON Schemas, tables of fields and settings, the reference of plant.yaml, the list of variables
	@$(BIN)/python -m tests.support.asyncapi
	@$(BIN)/python -m tests.support.openapi
	@$(BIN)/python -m tests.support.field_tables
	@$(BIN)/python -m tests.support.settings_table
	@$(BIN)/python -m tests.support.plant_reference
	@$(BIN)/python -m tests.support.known_variables

.PHONY: images
images: ## Build the container images (BUILDER=docker, podman, buildah or a command; BASE_IMAGE= REGISTRY= SERVICES=)
	@VERSION=$(VERSION) UV_VERSION=$(UV_VERSION) REGISTRY=$(REGISTRY) SERVICES="$(SERVICES)" \
		BUILDER="$(BUILDER)" BASE_IMAGE="$(BASE_IMAGE)" sh services/images.sh

.PHONY: bundle
bundle: setup $(if $(BUILT),,images) ## Put all that a plant without a network installs into one folder (OUT=dist/bundle BUILT=yes LAPTOP=yes SAVE="command NAME FOLDER IMAGE"; as for images)
	@UV=$(UV) SAVE="$(SAVE)" BUILDER="$(BUILDER)" $(BIN)/python services/bundle.py $(or $(OUT),dist/bundle) \
		--version $(VERSION) --registry $(or $(REGISTRY),localhost) $(if $(LAPTOP),--laptop)

.PHONY: setup-trainer
setup-trainer: $(UV) ## Install the trainer with PyTorch into .venv-trainer (gigabytes with CUDA)
	@$(TRAINER) sync --frozen --inexact --no-dev --package meltwatch-trainer

.PHONY: models
models: setup-trainer ## Make the models again from seeds and judge them (installs PyTorch; resumes; says how long)
	@.venv-trainer/bin/meltwatch-trainer all

.PHONY: clean
clean: ## Remove what runs and tests left here
	@rm -rf .meltwatch .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
