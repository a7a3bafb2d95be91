# Everything that is done to this project, one target each; `make help` lists them. A machine with Go and make is
# enough for run, build, test, lint, generate and bench: what they need besides comes through the Go module proxy.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BINARY  ?= bin/tiercel

# The race detector needs a C compiler. Without one the tests run without it, and say so.
CC_FOUND := $(shell command -v $$($(GO) env CC) 2>/dev/null)
RACE     := $(if $(CC_FOUND),-race)

# Tools are pinned here and kept outside of the tree, so that a fresh checkout finds them again.
GOLANGCI_VERSION  := v2.15.0
BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da
TOOLS     := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tiercel/tools
GOLANGCI  := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint
BENCHSTAT := $(TOOLS)/benchstat-$(BENCHSTAT_VERSION)/benchstat

# gin's MessagePack and the traces of gRPC, which nothing uses, would be 6 MB of the binary.
TAGS    := nomsgpack,grpcnotrace
LDFLAGS := -s -w -X main.version=$(VERSION)

.DEFAULT_GOAL := help

##@ Daily work

.PHONY: run
run: build ## Start it with no config: alerts on :2801, shown on the terminal. ARGS="--config FILE" adds arguments.
	@exec $(BINARY) run $(ARGS)

.PHONY: build
build: ## Make bin/tiercel, static and stripped.
	@CGO_ENABLED=0 $(GO) build -tags $(TAGS) -trimpath -ldflags '$(LDFLAGS)' -o $(BINARY) ./cmd/tiercel

.PHONY: test
test: ## Run all tests that need nothing but Go, with the race detector. ARGS="-run Name" adds arguments.
ifeq ($(RACE),)
	@echo 'no C compiler: the tests run without the race detector'
endif
	$(GO) test $(RACE) -timeout 15m $(ARGS) ./...
	cd test/interop && $(GO) test -timeout 10m $(ARGS) ./...

.PHONY: lint
lint: $(GOLANGCI) ## Check style and common mistakes, as .golangci.yml has it.
	$(GOLANGCI) run --timeout 15m $(ARGS)

.PHONY: format
format: $(GOLANGCI) ## Rewrite the Go files in the project's format.
	$(GOLANGCI) fmt

.PHONY: generate
generate: ## Write again what is derived: config.yaml, docs, the list of outputs, the probe's objects (needs clang-14).
	$(GO) generate ./...

##@ Longer tests

CRASH_RUNS ?= 100
.PHONY: test-crash
test-crash: ## Kill the real binary 100 times while alerts come in; none may be lost. CRASH_RUNS=N for another number.
	TIERCEL_CRASH_RUNS=$(CRASH_RUNS) $(GO) test -count=1 -timeout 120m -v $(ARGS) ./test/crash

.PHONY: interop
interop: ## Compare with Loki's own client and a real Loki, built from its Go module (minutes, once).
	cd test/interop && $(GO) test -count=1 -timeout 60m -tags loki -v ./...

FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: ## Fuzz everything that parses foreign bytes, FUZZTIME (10s) each.
	@for package in $$(grep -rlE --include='*_test.go' --exclude-dir=test '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	    for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$package/*_test.go | cut -c6-); do \
	        echo "$$package $$target"; \
	        $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
	    done; \
	done

.PHONY: test-kernels
test-kernels: ## Run the probe's tests on Debian's kernels 5.10, 6.1 and 6.12 under qemu (minutes each; Debian, network).
	test/kernels/run.sh $(KERNELS)

##@ Figures

.PHONY: bench-probe
bench-probe: ## Measure what the probe costs, in turn with and without it (needs root).
	PROBE_BENCH=1 CGO_ENABLED=0 $(GO) test -count=1 -run TestFigures -v -timeout 20m ./probe

.PHONY: bench
bench: build ## Measure the program from outside, with ratios to bare gin. ARGS="-only rate,cpu" chooses.
	$(GO) run ./test/load -tiercel $(BINARY) $(ARGS)

BENCH ?= .
COUNT ?= 5
.PHONY: bench-go
bench-go: $(BENCHSTAT) ## Run the benchmarks of the packages COUNT (5) times and sum them up. BENCH=Regexp chooses.
	@mkdir -p bin
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 120m ./outputs/... ./pkg/... > bin/bench.txt
	@$(BENCHSTAT) bin/bench.txt

##@ Release

IMAGE ?= tiercel:$(VERSION)
.PHONY: image
image: ## Build the container image. IMAGE=name:tag, GO_IMAGE=, FINAL_IMAGE= for other base images.
	docker build --build-arg VERSION=$(VERSION) \
	    $(if $(GO_IMAGE),--build-arg GO_IMAGE=$(GO_IMAGE)) $(if $(FINAL_IMAGE),--build-arg FINAL_IMAGE=$(FINAL_IMAGE)) -t $(IMAGE) .

.PHONY: image-test
image-test: ## Build the image without a registry and try it: needs root, Debian and its docker.io.
	test/image/build.sh

.PHONY: clean
clean: ## Remove what was built. Tools and Go's cache stay.
	rm -rf bin dist

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- tools ----

$(GOLANGCI):
	@echo 'building golangci-lint $(GOLANGCI_VERSION), once; this takes some minutes'
	@GOBIN=$(@D) GOFLAGS= CGO_ENABLED=0 $(GO) install -trimpath -ldflags '-s -w' \
	    github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(BENCHSTAT):
	@GOBIN=$(@D) GOFLAGS= CGO_ENABLED=0 $(GO) install -trimpath golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION)
