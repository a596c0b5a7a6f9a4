# What can be done with this repository. "make run" and "make test" need Go and
# nothing else; what another target needs stands above it.

BIN     := bin/entrepot
# The broker is plain Go: the binary runs anywhere, whatever C library is there.
GOBUILD := CGO_ENABLED=0 go build -trimpath
FUZZTIME ?= 30s
# Tests run side by side with real fsyncs; a few packages at a time keeps their
# time-outs honest on a small machine.
TESTFLAGS ?= -timeout 10m

.DEFAULT_GOAL := build
.PHONY: run build test check format lint race fuzz crash sim chaos soak interop hostile bench cluster image clean

# Starts a broker on an embedded store in ./data.
run: build
	$(BIN) serve

# Starts three nodes on loopback, sends a message to one, receives it from
# another, shows the cluster, and leaves it running until Ctrl-C.
# CLUSTERFLAGS=-once ends when that has been shown.
cluster: build
	go run ./broker/clusterdemo -binary $(BIN) $(CLUSTERFLAGS)

build:
	@mkdir -p bin
	$(GOBUILD) -o $(BIN) ./cmd/entrepot

test:
	CGO_ENABLED=0 go test $(TESTFLAGS) ./...

# All that CI asks before a change goes in. The race detector wants a C compiler.
# The house rules are tests (house_*_test.go): they run with all others.
check: format lint race

format:
	@bad=$$(git ls-files '*.go' | xargs gofmt -l); \
	if [ -n "$$bad" ]; then echo "not formatted; run: gofmt -w"; echo "$$bad"; exit 1; fi

lint:
	go vet ./...
	go tool staticcheck ./...

# With the tag invariants buffers that a caller must not keep are overwritten.
race:
	CGO_ENABLED=1 go test -race -tags invariants $(TESTFLAGS) ./...

# Every fuzz target for FUZZTIME.
fuzz:
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -ho --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-); do \
			echo "== $$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
		done; \
	done

# Kills a broker under load, 30 times for each durability, and counts.
crash:
	go run ./broker/crash $(CRASHFLAGS)

# Streams a shard of SOAKBYTES from one store to another, with traffic going on. It
# needs twice as much disk under TMPDIR.
SOAKBYTES ?= 20e9
soak:
	ENTREPOT_SOAK_BYTES=$(SOAKBYTES) go test -run '^TestSoakStream$$' -timeout 4h -v ./journal

# Breaks a cluster of three under load for 15 minutes in all ways it knows, and
# counts. Full disks need leave to mount; without it they are left out.
chaos:
	go run ./broker/chaos $(CHAOSFLAGS)

# Whole clusters in virtual time, as many seeds as one likes:
# make sim SIMFLAGS="-sim.from=1 -sim.seeds=5000"
sim:
	go test ./broker/sim -run TestSweep -timeout 0 -args -sim.seeds=1000 $(SIMFLAGS)

# Three clients against a started broker. Installs what they need on Debian
# (python3-qpid-proton by apt-get, rhea by npm), unless it is there.
interop:
	broker/interop/run.sh $(INTEROPFLAGS)

# Bad input of every kind against a started broker.
hostile:
	go run ./broker/interop/hostile $(HOSTILEFLAGS)

# Measures this broker beside the peers that are installed; see bench/README.md.
bench:
	go run ./bench $(BENCHFLAGS)

# A container image with nothing but the binary. Wants podman or docker.
CONTAINER ?= $(shell command -v podman || command -v docker)
IMAGE     ?= entrepot:latest
image:
	$(CONTAINER) build -f deploy/Containerfile -t $(IMAGE) .

clean:
	rm -rf bin bench-results broker/interop/rhea/node_modules
