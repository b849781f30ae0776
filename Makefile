# `make` says what there is.
GOLANGCI_LINT_VERSION = v2.6.0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.PHONY: help demo test lint generate build bench image

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 18

demo: ## run the portal with a simulated Webex organization
	go run ./cmd/portal demo

test: ## install what the tests need, then run them all with the race detector
	scripts/install-test-deps
	go tool templ generate -check
	go test -race -timeout 30m $$(go list ./... | grep -v /internal/e2e)
	go test -race -timeout 30m -count=1 ./internal/e2e # alone: a browser wants the whole machine; never cached: it builds what it tests

lint: ## run golangci-lint
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION) run

generate: ## make the Go files from the templ files
	go tool templ generate

build: ## build the static binary bin/portal
	CGO_ENABLED=0 go build -trimpath -tags timetzdata -ldflags '$(LDFLAGS)' -o bin/portal ./cmd/portal

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

image: ## build the container image patchbay:VERSION
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t patchbay:$(VERSION) .
