# clusterd: build, test, show and measure. "make" or "make help" lists what there is.

GO      ?= go
TAGS    := libvirt_dlopen,urfave_cli_no_docs
BIN     := bin
N       ?= 10
SIM     ?=
ONLY    ?=
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -X github.com/clusterd/clusterd/internal/daemon.Version=$(VERSION) -X github.com/clusterd/clusterd/internal/cli.Version=$(VERSION)

DESTDIR ?=
# Not below /usr/local: the AppArmor profile of Debian's libvirtd lets its hooks
# run programs from /usr/sbin only.
SBINDIR ?= /usr/sbin
UNITDIR ?= /etc/systemd/system
DATADIR ?= /usr/share
MANDIR  ?= /usr/share/man
COMPLETIONDIR ?= /usr/share/bash-completion/completions
ZSHDIR  ?= /usr/share/zsh/vendor-completions
FISHDIR ?= /usr/share/fish/vendor_completions.d

ROOT    := $(filter 0,$(shell id -u))
LABDIR  := /var/tmp/clusterd-lab-$(or $(LAB_PREFIX),cl)
TOOLS   := ./cmd/clusterd ./cmd/clustat ./cmd/clusvcadm
DOOR    := ./cmd/clusterd-doorkeeper

.DEFAULT_GOAL := help
.PHONY: help sim build tools-present packages server-packages test test-all test-reports test-network test-docs demo demo-service demo-fence demo-migration lab lab-down bench-failover bench-migrate bench-idle bench-fence bench-services mutants scenarios fmt vet clean install

help: ## list these targets
	@echo "clusterd $(VERSION)"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18
	@echo
	@echo "The lab (demo, lab, bench-*) needs root on Debian and installs missing packages by name."
	@echo "Without root: make demo SIM=1"

# Go is asked for, not installed: which one a machine should have is its owner's choice.
tools-present:
	@command -v $(GO) >/dev/null || { echo "make: there is no $(GO); install Go 1.26 or later, https://go.dev/dl" >&2; exit 1; }
ifneq ($(ROOT),)
	@command -v gcc >/dev/null || ! command -v apt-get >/dev/null || { \
		echo "installing gcc, which the libvirt binding needs to be built"; \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends gcc libc6-dev; } </dev/null
endif
	@command -v gcc >/dev/null || echo "make: there is no gcc; clusterd is built without libvirt, which is enough for make demo SIM=1" >&2

build: tools-present ## build clusterd, clustat and clusvcadm into bin/
	@mkdir -p $(BIN)
	CGO_ENABLED=$$(command -v gcc >/dev/null && echo 1 || echo 0) $(GO) build -buildmode=pie -tags $(TAGS) -ldflags "$(LDFLAGS)" -o $(BIN)/ $(TOOLS)
	CGO_ENABLED=0 $(GO) build -buildmode=pie -ldflags "-s -w" -o $(BIN)/ $(DOOR)

# What stages the story is plain Go; it needs no compiler for C.
$(BIN)/%: tools-present FORCE
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -o $@ ./test/$(if $(filter lab fence_lab_pdu,$*),lab/cmd/$*,$*)

.PHONY: FORCE
FORCE:

packages: $(BIN)/demo ## install the Debian packages that the lab needs (root)
	@missing="$$($(BIN)/demo -missing-packages)"; test -z "$$missing" || { \
		command -v apt-get >/dev/null || { echo "make: missing: $$missing; this machine has no apt-get to install them" >&2; exit 1; }; \
		echo "installing $$missing"; apt-get update -q && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; } </dev/null

demo: build $(BIN)/demo ## show a cluster that moves a VM live and survives two lost hosts (SIM=1: simulated, without root)
	$(BIN)/demo -tools $(BIN) $(if $(filter 1 yes true,$(SIM)),-simulated)

demo-service: build $(BIN)/demo ## show a service of address, file system and nginx that is moved, mended and failed over (root)
	@missing="$$($(BIN)/demo -service -missing-packages)"; test -z "$$missing" || { \
		command -v apt-get >/dev/null || { echo "make: missing: $$missing; this machine has no apt-get to install them" >&2; exit 1; }; \
		echo "installing $$missing"; apt-get update -q && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; } </dev/null
	$(BIN)/demo -service -tools $(BIN)

demo-fence: build $(BIN)/demo $(BIN)/fence_lab_pdu ## show dead BMCs, two power supplies, a hung host and a lone watchdog in the lab (root)
	$(BIN)/demo -tools $(BIN) -fence

demo-migration: build $(BIN)/demo ## show a live move that is asked about, refused, hurried and given up in the lab (root)
	$(BIN)/demo -tools $(BIN) -migration

# As root the packages come first, because the tests of agents/vm load libvirt's library.
# All has just been vetted, so no test is vetted again.
test: tools-present ## run the tests; as root also a short run in the lab
ifneq ($(ROOT),)
	@$(MAKE) --no-print-directory packages || \
		echo "the packages of the lab cannot be installed here: the tests that use them are left out" >&2
endif
	$(GO) vet -tags $(TAGS) ./...
	$(GO) test -vet=off -tags $(TAGS) -timeout 5m ./...
ifneq ($(ROOT),)
	@missing="$$($(BIN)/demo -missing-packages)"; test -n "$$missing" || \
		CLUSTERD_LAB=1 $(GO) test -vet=off -tags $(TAGS) -count=1 -p 1 -timeout 20m -run Lab ./test/lab/smoke ./test/e2e ./agents/ocf
else
	@echo "not root: the tests in the lab were left out; they run with: sudo make test"
endif

# The servers whose agents are tried with the real program; RUNLEVEL=1 keeps them from being started here.
SERVERS := resource-agents nginx-light apache2 postgresql curl psmisc kmod
# An emulated TPM and UEFI firmware, for what a VM keeps beside its disks.
FIRMWARE := swtpm swtpm-tools ovmf
server-packages: WANTED := $(SERVERS)
firmware-packages: WANTED := $(FIRMWARE)
.PHONY: server-packages firmware-packages
server-packages firmware-packages:
	@missing="$$(for p in $(WANTED); do dpkg-query -W -f '' $$p 2>/dev/null || echo $$p; done)"; test -z "$$missing" || { \
		echo "installing $$missing"; apt-get update -q && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; } </dev/null

test-all: packages server-packages firmware-packages ## run every test that the lab can carry (root, long)
	CLUSTERD_LAB=1 CLUSTERD_LAB_LONG=1 $(GO) test -tags $(TAGS) -count=1 -p 1 -timeout 40m ./...

test-reports: packages firmware-packages ## retell in the lab what bug reports of such systems tell of (root)
	CLUSTERD_LAB=1 $(GO) test -tags $(TAGS) -count=1 -v -timeout 40m -run 'TestReports$$' ./test/e2e

test-network: packages ## make networks of guests with the real kernel, and have one follow its VM through the lab (root)
	$(GO) test -tags $(TAGS) -count=1 ./agents/network ./internal/networks/...
	CLUSTERD_LAB=1 $(GO) test -tags $(TAGS) -count=1 -v -timeout 10m -run 'TestNetworks$$' ./test/e2e

test-docs: packages ## type the README, the installation page and the steps for what is lost in the lab, as they are written (root)
	CLUSTERD_LAB=1 $(GO) test -tags $(TAGS) -count=1 -v -timeout 25m -run 'TestDocs' ./test/e2e

mutants: tools-present packages ## break the code on purpose, and see each break caught (ONLY=laws or names with commas between, AFTER=a name, REMEMBER=1: keep what seed showed each, SEEDS=n: look in n histories for one to keep)
	$(GO) run ./test/mutants $(if $(ONLY),-only $(ONLY)) $(if $(AFTER),-after $(AFTER)) $(if $(REMEMBER),-remember) $(if $(SEEDS),-seeds $(SEEDS))

scenarios: tools-present ## play the stories of test/scenarios (REWRITE=1 writes their expected output anew)
	$(GO) test -count=1 ./test/scenarios

# One seed and one commit are one history; SEED=x V=1 tells all of it.
sim: tools-present ## run SEEDS=1000 random histories (of two nodes: WORLD=two-node), or replay SEED=x (V=1: tell it)
	@mkdir -p $(BIN)
	@$(GO) test -tags $(TAGS) -c -o $(BIN)/sim.test ./test/sim
	@cd test/sim && GOGC=1600 SEEDS=$(or $(SEEDS),1000) SEED=$(SEED) V=$(V) WORLD=$(WORLD) WITHOUT="$(WITHOUT)" ../../$(BIN)/sim.test -test.run 'TestSim$$' -test.timeout 180m $(if $(SEED),-test.v)

lab: build $(BIN)/lab ## leave three pretend hosts up, and say how to enter one (root)
	$(BIN)/lab up
	@install -D -t $(LABDIR)/shared/bin $(BIN)/clusterd* $(BIN)/clustat $(BIN)/clusvcadm
	@for host in $(LABDIR)/node*; do printf 'address: 10.99.0.%s\nhardware_uuid_file: /etc/clusterd/hardware-uuid\n' "$${host##*/node}" >$$host/etc-clusterd/node.yaml; \
		for unit in clusterd clusterd-handover; do sed 's|@sbindir@|/srv/cluster/bin|' packaging/$$unit.service | \
			$(BIN)/lab enter $${host##*/} -- sh -c "install -D /dev/stdin /etc/systemd/system/$$unit.service" || exit 1; done; done
	@echo
	@echo "Each host has a node.yaml, the build in its PATH, and a systemctl that knows clusterd and libvirtd."
	@echo "Type what the README has you type: clusterd init --name lab; systemctl restart libvirtd; systemctl enable --now clusterd"
	@echo "From here:  $(BIN)/lab enter node1   $(BIN)/lab crash node2   $(BIN)/lab help   make lab-down"

lab-down: $(BIN)/lab ## take the pretend hosts away
	$(BIN)/lab down

bench-failover: build $(BIN)/bench ## measure from power cut to VM running, N of each kind (root)
	$(BIN)/bench failover -n $(N) -tools $(BIN)

bench-migrate: build $(BIN)/bench ## measure clusvcadm -M beside virsh migrate, N of each (root)
	$(BIN)/bench migrate -n $(N) -tools $(BIN)

bench-idle: build $(BIN)/bench ## measure memory and CPU of idle daemons (root)
	$(BIN)/bench idle -tools $(BIN)

bench-services: build $(BIN)/bench ## measure N=500 services made of resources on three nodes: start, failover, memory, clustat
	$(BIN)/bench services -n $(if $(filter file,$(origin N)),500,$(N)) -tools $(BIN)

.PHONY: bench-join
bench-join: build $(BIN)/bench ## measure from clusterd join to a voter, with three and with seven nodes, simulated
	$(BIN)/bench join -tools $(BIN)

# The array and its two nodes are QEMU machines; without them that figure is left out.
bench-fence: build $(BIN)/bench ## measure from the decision to fence to its proof, per driver and for 16 nodes at once
	@scsi="$$(CLUSTERD_FENCE_VM=$(CURDIR)/.cache/fence-vm $(GO) test -tags $(TAGS) -v -count=1 -timeout 6m -run 'TestZombieIsCutOff$$$$' ./test/fencevm 2>/dev/null | sed -n 's/.*figure: scsi_ms=//p')"; \
	$(BIN)/bench fence -n $(N) -tools $(BIN) -scsi "$$scsi"

fmt: ## format the sources
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

.PHONY: tidy
tidy: ## lower the list of what is untidy to what is left (test/floors/untidy.txt); add nothing to it
	TIDY=shrink $(GO) test -tags $(TAGS) -count=1 -run 'TestTidy$$' ./test/floors

vet: tools-present ## look for faults: go vet, format, staticcheck (fetched by the version in tools.mod)
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); test -z "$$unformatted" || { echo "not formatted:"; echo "$$unformatted"; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) tool -modfile=tools.mod staticcheck -tags $(TAGS) ./...

clean: ## remove what was built
	rm -rf $(BIN)

install: ## install bin/, manual pages, completions and the systemd units (after make build; DESTDIR and SBINDIR as usual)
	@test -x $(BIN)/clusterd || { echo "make: nothing is built yet; run: make build" >&2; exit 1; }
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)/etc/clusterd $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPLETIONDIR)
	install -m 0755 $(BIN)/clusterd $(BIN)/clustat $(BIN)/clusvcadm $(BIN)/clusterd-doorkeeper $(DESTDIR)$(SBINDIR)/
	install -m 0644 docs/man/*.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 packaging/completion/* $(DESTDIR)$(COMPLETIONDIR)/
	install -D -m 0644 -t $(DESTDIR)$(ZSHDIR) packaging/completion-zsh/*
	install -D -m 0644 -t $(DESTDIR)$(FISHDIR) packaging/completion-fish/*
	install -d $(DESTDIR)$(DATADIR)/clusterd
	install -m 0644 packaging/clusterd-vms-only.conf packaging/apparmor/usr.sbin.clusterd $(DESTDIR)$(DATADIR)/clusterd/
	install -D -m 0644 -t $(DESTDIR)$(DATADIR)/clusterd/prometheus packaging/prometheus/alerts.yaml
	install -D -m 0644 -t $(DESTDIR)$(DATADIR)/clusterd/grafana packaging/grafana/clusterd.json
	for unit in clusterd clusterd-handover; do \
		sed 's|@sbindir@|$(SBINDIR)|' packaging/$$unit.service >$(DESTDIR)$(UNITDIR)/$$unit.service && \
		chmod 0644 $(DESTDIR)$(UNITDIR)/$$unit.service || exit 1; done
	@test -n "$(DESTDIR)" || echo "next: systemctl daemon-reload, then clusterd init or clusterd join, then systemctl enable --now clusterd clusterd-handover"

.PHONY: test-fence
test-fence: tools-present ## run the fence drivers against ipmi_sim, ipmitool and real fence agents, sbd and tgtd (root installs them)
ifneq ($(ROOT),)
	@missing=""; \
	for pair in fence_dummy:fence-agents fence_redfish:fence-agents ipmi_sim:openipmi ipmitool:ipmitool sbd:sbd tgtd:tgt tgtd:libiscsi-dev; do \
		command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; done; \
	test -z "$$missing" || ! command -v apt-get >/dev/null || { echo "installing$$missing"; apt-get update -q && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; } </dev/null
endif
	CLUSTERD_FENCE=1 $(GO) test -tags $(TAGS) -count=1 -p 1 -timeout 4m ./fence/... ./test/bmc ./test/redfish

.PHONY: test-fence-vm
test-fence-vm: tools-present ## cut off and reset QEMU machines with kernels of their own (root; fetches a Debian kernel once)
ifneq ($(ROOT),)
	@missing=""; \
	test -x /usr/bin/qemu-system-x86_64 || missing="$$missing qemu-system-x86"; \
	test -x /usr/bin/qemu-img || missing="$$missing qemu-utils"; \
	ls /usr/lib/*/qemu/block-iscsi.so >/dev/null 2>&1 || missing="$$missing qemu-block-extra"; \
	test -z "$$missing" || ! command -v apt-get >/dev/null || { echo "installing$$missing"; apt-get update -q && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; } </dev/null
endif
	CLUSTERD_FENCE_VM=$(CURDIR)/.cache/fence-vm $(GO) test -tags $(TAGS) -v -count=1 -timeout 10m ./test/fencevm

# systemd itself comes from the machine; of libvirt's packages only the units are wanted, and only inside the lab.
.PHONY: test-units
UNITS := $(CURDIR)/.cache/units
test-units: packages ## start the units by a real systemd in the lab, beside Debian's libvirt, up to a shutdown (root)
	@missing=""; for pair in systemd:/lib/systemd/systemd dbus:/usr/bin/dbus-daemon; do \
		test -x $${pair##*:} || missing="$$missing $${pair%%:*}"; done; \
	test -z "$$missing" || { echo "installing$$missing"; apt-get update -q && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; } </dev/null
	@mkdir -p $(UNITS); cd $(UNITS); for p in libvirt-daemon-system systemd-container; do \
		ls $${p}_*.deb >/dev/null 2>&1 || apt-get -q -o APT::Sandbox::User=root download $$p || exit 1; done
	CLUSTERD_LAB=1 CLUSTERD_UNITS=$(UNITS) $(GO) test -tags $(TAGS) -v -count=1 -timeout 16m -run 'TestUnits$$' ./test/e2e

FUZZTIME ?= 2m
.PHONY: fuzz
fuzz: tools-present ## fuzz every parser that bytes from outside reach, FUZZTIME=2m in all (ONLY= a name)
	$(GO) run ./test/fuzz -time $(FUZZTIME) -tags $(TAGS) $(if $(ONLY),-only $(ONLY))

.PHONY: test-attack
test-attack: build ## attack a cluster of three simulated daemons, and as root hosts of the lab; the last line says how many attacks were held
	$(GO) run -tags $(TAGS) ./test/attack -tools $(BIN)

.PHONY: demo-web test-web chromium
demo-web: build $(BIN)/demo ## leave a simulated cluster with the page up, and print login links (VMS=50: with so many more VMs)
	$(BIN)/demo -tools $(BIN) -web -vms $(or $(VMS),8)

# The browser that the page is tried in.
chromium:
	@command -v chromium >/dev/null || { test -n "$(ROOT)" && command -v apt-get >/dev/null || \
		{ echo "make: there is no chromium; install it, or run this as root on Debian" >&2; exit 1; }; \
		echo "installing chromium"; apt-get update -q && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core; } </dev/null

test-web: build chromium ## try the page in a real browser (SHORT=1: without 2,000 VMs); pictures in .cache/web
	cd test/web && $(GO) test -count=1 -timeout 15m $(if $(SHORT),-short) -v .

.PHONY: demo-two-node
demo-two-node: tools-present ## show two nodes that go on without each other: as processes and, as root, in the lab
ifneq ($(ROOT),)
	@$(MAKE) --no-print-directory packages
endif
	$(if $(ROOT),CLUSTERD_LAB=1 )$(GO) test -tags $(TAGS) -count=1 -p 1 -v -timeout 12m -run 'TwoNodes' ./test/e2e

# Packages of what "make install" installs. The same commit gives the same bytes: no path of this machine, no clock and
# no state of the working copy is in them. nfpm is fetched by the version in packaging/nfpm.mod, apart from go.mod.
DIST          ?= dist
DIST_STAGE    := $(CURDIR)/.cache/dist
DIST_ROOT     := $(DIST_STAGE)/root
DIST_DOC      := $(DIST_ROOT)$(DATADIR)/doc/clusterd
DIST_EPOCH    := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || echo 0))
ifndef DIST_VERSION
DIST_VERSION  := $(shell git describe --tags --match 'v[0-9]*' 2>/dev/null | sed 's/^v//; s/-/+/g' | grep . || \
	echo 0.0.0+$$(git log -1 --format=%cd --date=format:%Y%m%d 2>/dev/null).$$(git rev-parse --short=12 HEAD 2>/dev/null))
endif
NFPM          := $(GO) tool -modfile=packaging/nfpm.mod nfpm
DIST_FLAGS    := -trimpath -buildvcs=false -buildmode=pie
.PHONY: dist test-packages
dist: tools-present ## build a .deb and an .rpm into dist/ (DIST=folder, DIST_VERSION=1.2.3)
	rm -rf $(DIST_STAGE) && mkdir -p $(DIST_STAGE)/bin $(DIST)
	CGO_ENABLED=1 $(GO) build $(DIST_FLAGS) -tags $(TAGS) -ldflags "-s -w $(subst $(VERSION),$(DIST_VERSION),$(LDFLAGS))" -o $(DIST_STAGE)/bin/ $(TOOLS)
	CGO_ENABLED=0 $(GO) build $(DIST_FLAGS) -ldflags "-s -w" -o $(DIST_STAGE)/bin/ $(DOOR)
	$(MAKE) --no-print-directory install BIN=$(DIST_STAGE)/bin DESTDIR=$(DIST_ROOT) SBINDIR=/usr/sbin UNITDIR=/usr/lib/systemd/system
	gzip -9n $(DIST_ROOT)$(MANDIR)/man8/*.8
	install -D -m 0644 -t $(DIST_ROOT)/usr/lib/sysusers.d packaging/sysusers/clusterd.conf
	install -D -m 0644 -t $(DIST_DOC) packaging/copyright
	gzip -9nc LICENSE >$(DIST_DOC)/LICENSE.gz && gzip -9nc CHANGELOG.md >$(DIST_DOC)/changelog.gz
	printf 'clusterd (%s-1) unstable; urgency=medium\n\n  * What changed is in changelog.gz.\n\n -- %s  %s\n' '$(DIST_VERSION)' \
		"$$(sed -n 's/^maintainer: //p' packaging/nfpm.yaml)" "$$(date -uR -d @$(DIST_EPOCH))" | gzip -9n >$(DIST_DOC)/changelog.Debian.gz
	for kind in deb rpm; do \
		SOURCE_DATE_EPOCH=$(DIST_EPOCH) DIST_ROOT=$(DIST_ROOT) \
		DIST_VERSION=$(DIST_VERSION) DIST_ARCH=$$($(GO) env GOARCH) $(NFPM) package -f packaging/nfpm.yaml -p $$kind -t $(DIST)/ || exit 1; done

# Twice the same commit and once an older version, because two builds are compared and one replaces another.
PACKAGES := $(CURDIR)/.cache/packages
test-packages: tools-present ## build the packages twice, compare them, install, upgrade and remove them in a Debian root (root fetches one)
ifneq ($(ROOT),)
	@missing=""; for pair in debootstrap:debootstrap rpm:rpm lintian:lintian; do \
		command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; done; \
	test -z "$$missing" || ! command -v apt-get >/dev/null || { echo "installing$$missing"; apt-get update -q && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; } </dev/null
endif
	rm -rf $(PACKAGES)/old $(PACKAGES)/new $(PACKAGES)/again
	$(MAKE) --no-print-directory dist DIST=$(PACKAGES)/old DIST_VERSION=0.0.0
	$(MAKE) --no-print-directory dist DIST=$(PACKAGES)/new
	$(MAKE) --no-print-directory dist DIST=$(PACKAGES)/again
	CLUSTERD_PACKAGES=$(PACKAGES) $(GO) test -tags $(TAGS) -count=1 -v -timeout 10m ./test/packages
