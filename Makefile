# make test runs everything a change must pass; make help lists the rest.
GO      ?= go
BIN     := $(CURDIR)/bin
TIME    ?= 60s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help test lint unit race nested fuzz bench bench-gateway chaos build clean test-otp test-chaos test-properties docs test-editor

help: ## the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

test: lint unit race nested ## everything: lint, tests, the race detector, nested modules

lint: ## gofmt, go vet, staticcheck, module files
	@out=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); test -z "$$out" || { echo "gofmt: $$out"; exit 1; }
	$(GO) vet -tags erlang ./...
	$(GO) run $(STATICCHECK) -tags erlang ./...
	$(GO) mod tidy -diff
	$(GO) mod verify

unit: ## all tests of the module
	$(GO) test -timeout 20m ./...

race: ## the rooms with goroutines, under the race detector; fewer seeds where one thread does all
	$(GO) test -race -short -timeout 20m ./breaker ./internal/... ./journal ./engine/...

nested: ## comparisons with peers, in modules of their own
	@for dir in tests/peers; do if [ -f $$dir/go.mod ]; then (cd $$dir && $(GO) vet ./... && $(GO) test -timeout 10m ./...) || exit 1; fi; done

test-properties: ## the properties with new seeds; make test draws the same each time
	CALM_SEED=$$(date +%s) $(GO) test -count 1 -timeout 20m ./breaker/... ./compiler ./engine/... ./internal/... ./journal ./rules ./spec

test-otp: ## new random supervision trees, through the Machine and through a real Erlang
	@command -v erl >/dev/null || { test "$$(id -u)" = 0 && apt-get update -q && apt-get install -y -q erlang-base; } || { echo "test-otp: no erl, and only root can install it: apt-get install erlang-base"; exit 1; }
	$(GO) vet -tags erlang ./tests/otp
	$(GO) test -tags erlang -timeout 10m ./tests/otp -run AsErlangDoes -count 1 -v -sequences 1000 -seed $$(date +%s)

test-chaos: ## a minute of crashes, pauses, reloads and scaling over 10,000 actors
	$(GO) test -timeout 5m -count 1 -v ./tests/chaos -for $(TIME) -seed $$(date +%s)

fuzz: ## every fuzz target for TIME each (60s)
	@for file in $$(grep -rl --include='*_test.go' '^func Fuzz' . ); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
	    echo "$$file $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(TIME) $$(dirname $$file) || exit 1; \
	  done; done

bench: ## the headline numbers beside their peers
	cd tests/bench && $(GO) test -run '^$$' -bench . -benchtime 300ms -timeout 20m ./...
	@command -v erl >/dev/null || { echo "bench: no erl, so none of its numbers"; exit 0; }; \
	  dir=$$(mktemp -d) && erlc -o $$dir tests/bench/actors.erl tests/bench/actors_sup.erl && erl -noshell -pa $$dir -s actors main; rm -rf $$dir

bench-gateway: build ## the gateway beside haproxy and Caddy, with wrk, and 1,000 reloads under load; root installs what is missing
	@for tool in haproxy caddy wrk curl taskset; do command -v $$tool >/dev/null && continue; \
	  test "$$(id -u)" = 0 && apt-get update -q && apt-get install -y -q haproxy caddy wrk curl util-linux && break; \
	  echo "bench-gateway: no $$tool, and only root can install it: apt-get install haproxy caddy wrk curl util-linux"; exit 1; done
	cd tests/bench && $(GO) run ./gateway -binary $(BIN)/lukhas-run

docs: ## generated pages and schemas, from the tables they are generated from
	$(GO) test ./spec ./schema ./cmd/lukhas-run -count=1 -update

test-editor: ## the schemas in the real yaml-language-server, which npm fetches; needs node
	$(GO) test -tags editor -count=1 -timeout 4m -run TestEditor ./tests

build: ## the binary, in bin/
	$(GO) build -o $(BIN)/lukhas-run ./cmd/lukhas-run

clean: ## what builds and runs leave behind
	rm -rf $(BIN) data
