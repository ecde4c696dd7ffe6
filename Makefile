# SPDX-License-Identifier: Apache-2.0
# The front door. Each target is a line that calls a script or Meson; logic lives there.

B       := build
MESON   ?= meson
JOBS    ?= $(shell nproc)

.PHONY: all deps run test test-vm demo bench bench-vm help clean

all: $(B)/rel/build.ninja ## build the programs into build/bin
	@$(MESON) compile -C $(B)/rel -j $(JOBS) | grep -vE '^(INFO|ninja: (Entering|no work)|\[[0-9]+/)' || true
	@$(MESON) compile -C $(B)/rel -j $(JOBS) >/dev/null
	@mkdir -p $(B)/bin && for p in src/cli/reeve src/agent/reeve-agent; do \
		[ -x $(B)/rel/$$p ] && ln -sf ../rel/$$p $(B)/bin/ || true; done

deps: ## install the Debian packages that are missing
	@packaging/install-deps

$(B)/rel/build.ninja: | deps
	@$(MESON) setup $(B)/rel -Dbuildtype=release -Db_ndebug=false >/dev/null

$(B)/dev/build.ninja: | deps
	@$(MESON) setup $(B)/dev -Dbuildtype=debugoptimized -Db_sanitize=address,undefined >/dev/null

run: all ## install what is missing, build, watch this host in observe mode
	@exec packaging/run

test: all $(B)/dev/build.ninja ## everything this machine allows
	@tests/run $(B)/dev $(B)/rel

test-vm: all ## enforcement on Debian's 6.1 and 6.12 kernels under QEMU (about five minutes on two free cores)
	@$(MESON) test -C $(B)/rel --suite vm --num-processes 2 --verbose

demo: all ## real attacks and their benign twins in a sandbox
	@exec $(B)/rel/tests/demo/demo $(abspath $(B)/rel/src/agent/reeve-agent $(B)/rel/tests/demo/acts) \
		$(CURDIR)/tests/demo/cases $(CURDIR)/policies/baseline

bench: all ## one JSON line a benchmark
	@exec bench/run $(B)/rel

bench-vm: all ## opens and starts beside fapolicyd, on Debian's kernels under QEMU
	@exec bench/vm $(B)/rel

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

clean:
	rm -rf $(B)
