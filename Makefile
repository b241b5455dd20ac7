# Price Manager. `make help` lists what there is.
# Settings of run: PORT=8080 AWS_PORT=4566 AMAZON_PORT=8090 SPEED=1 STATE=.local/state ALLOW=
GO ?= go
LOCAL := .local/bin/local
GOLANGCI_VERSION := v2.15.0
GOLANGCI := .local/bin/golangci-lint-$(GOLANGCI_VERSION)
FUNCTIONS := account oauth token-broker price-upload price-plan price-export price-pull price-sync audit-stream gdpr-export gdpr-erasure scheduler secret-rotation amazon-events

# The same source gives the same bytes: no paths, no debug information, no RPC.
LAMBDA_FLAGS := -trimpath -buildvcs=false -tags lambda.norpc -ldflags '-s -w'
LAMBDA_ENV := CGO_ENABLED=0 GOOS=linux GOARCH=arm64

.DEFAULT_GOAL := help
.PHONY: help run demo stop clean api-fuzz matrix test lint fmt build template-check contract-check contract-prism controls bench-start bench-lane bench-units bench-import bench-ledger bench-million sam-build local soak soak-local soak-mutants

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

run: local ## the whole product on this machine, until Ctrl-C or make stop
	@exec $(LOCAL) up

demo: local ## the main job on a stack of its own; the last line is JSON. SPEED= PRICES= LISTINGS= MARKETPLACE= DROP=
	@exec $(LOCAL) demo

stop: local ## end a running make run
	@$(LOCAL) stop

clean: stop ## forget everything that make run keeps, and all build output
	rm -rf .local/state .local/build .local/bin/local build .aws-sam

# The stacks come first and beside the others: they wait more than they compute.
test: ## all tests, with the race detector
	@$(GO) run ./infra/checks/testreport -race -shuffle=on -count=1 -timeout 9m -p 3 ./test/integration/... ./...

lint: $(GOLANGCI) ## go vet and golangci-lint
	$(GO) vet ./...
	$(GOLANGCI) run ./...

fmt: ## format all Go code
	gofmt -l -w .

build: ## all functions as they run on AWS, below build/
	@for f in $(FUNCTIONS); do \
	  echo "build/$$f/bootstrap"; \
	  $(LAMBDA_ENV) $(GO) build $(LAMBDA_FLAGS) -o build/$$f/bootstrap ./functions/$$f || exit 1; \
	done

template-check: local ## template.yaml: AWS's rules and our own; the last line is JSON
	@$$($(LOCAL) venv infra/checks/requirements.txt) infra/checks/template_check.py template.yaml

contract-check: ## our form of Amazon's API models against the models themselves: MODELS=directory
	@[ -n "$(MODELS)" ] || { echo "give MODELS=directory with Amazon's selling-partner-api-models"; exit 2; }
	$(GO) run ./test/contract/derive -models $(MODELS) -out test/contract/spapi.json -check

contract-prism: ## Prism, by Amazon's models, between our client and the fake Amazon; the last line is JSON
	@$(GO) run ./test/prism

api-fuzz: ## schemathesis against the API on a stack of its own, by the contract; the last line is JSON. SECONDS= SEED=
	@$(GO) run ./test/apifuzz

matrix: ## who may ask for what, and what strangers get, anew from the functions themselves into test/isolation/*.md
	@WRITE_MATRIX=1 $(GO) test -count=1 -p 1 -run '^(TestWhoMayAskIsAsTheTableSays|TestMethodsFindNothingOfAnybody)$$' ./functions/... | grep -v 'no tests to run' >&2
	@cat test/isolation/authorisation.md test/isolation/methods.md

soak: ## a million changes through the lane engine in a simulated world of failures; the last line is JSON. SOAK_CHANGES= SEED=
	@$(GO) run ./test/soak/run

soak-local: ## the same promises on the local AWS with processes killed and AWS failing, under three minutes; the last line is JSON. SKUS= SEED=
	@$(GO) run ./test/soak/local

soak-mutants: ## the same with one protection of the engine off at a time: each has to be noticed; the last line is JSON. MUTANT=
	@$(GO) run ./test/soak/mutants

controls: ## which security promises are kept, and by which check; the last line is JSON
	@$(GO) run ./infra/checks/controls

bench-start: ## how long the functions take to start
	@$(GO) run ./test/bench/start

bench-lane: ## Amazon's budget used, fairness and cost of a change, and other clients beside ours; the last line is JSON
	@$(GO) run ./test/bench/lane

bench-units: ## of bench-lane only what a change consumes by DynamoDB Local, which needs Java and Maven; the last line is JSON
	@$(GO) run ./test/bench/lane -parts units

bench-import: ## how fast price files are read and planned on one core, and in how much memory; the last line is JSON
	@$(GO) run ./test/bench/import

bench-ledger: ## events a second and core into the ledger, beside a bare Merkle log of JSON; the last line is JSON
	@$(GO) run ./test/bench/ledger

bench-million: ## a file of a million rows against a million known offers, through the API on the local AWS; the last line is JSON. ROWS=
	@$(GO) run ./test/bench/million

sam-build: local ## what `sam deploy` puts on AWS, below .aws-sam/
	@python=$$($(LOCAL) venv infra/checks/requirements.txt) && \
	  SAM_CLI_TELEMETRY=0 PATH="$$(dirname $$python):$$PATH" sam build --build-in-source --region eu-central-1

local:
	@$(GO) build -o $(LOCAL) ./infra/local

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION) from source, once: about four minutes on two cores"
	@mkdir -p $(dir $@)
	@GOBIN=$(abspath .local/bin) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv .local/bin/golangci-lint $@

# `sam build` makes each function through these (BuildMethod makefile).
.PHONY: build-Account build-OAuth build-TokenBroker build-PriceUpload build-PricePlan build-PriceExport build-PricePull build-PriceSync build-AuditStream build-GdprExport build-GdprErasure build-Scheduler build-SecretRotation build-AmazonEvents
build-Account: ; $(call lambda,account)
build-OAuth: ; $(call lambda,oauth)
build-TokenBroker: ; $(call lambda,token-broker)
build-PriceUpload: ; $(call lambda,price-upload)
build-PricePlan: ; $(call lambda,price-plan)
build-PriceExport: ; $(call lambda,price-export)
build-PricePull: ; $(call lambda,price-pull)
build-PriceSync: ; $(call lambda,price-sync)
build-AuditStream: ; $(call lambda,audit-stream)
build-GdprExport: ; $(call lambda,gdpr-export)
build-GdprErasure: ; $(call lambda,gdpr-erasure)
build-Scheduler: ; $(call lambda,scheduler)
build-SecretRotation: ; $(call lambda,secret-rotation)
build-AmazonEvents: ; $(call lambda,amazon-events)

define lambda
$(LAMBDA_ENV) $(GO) build $(LAMBDA_FLAGS) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(1)
endef
