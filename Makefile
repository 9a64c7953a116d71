# Everything a developer needs; each line of work is in scripts/. As root, on Debian 12 with a Swift toolchain.
.PHONY: run test test-kubernetes stop clean bench deb fmt help
.DEFAULT_GOAL := help
EXAMPLE ?= student-list

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

run: ## build Escale, run an example application, check it (EXAMPLE=student-list, breizhsport or todo)
	@scripts/setup.sh
	@scripts/build.sh
	@EXAMPLE=$(EXAMPLE) scripts/example.sh up

test: ## the same set-up, then every test
	@scripts/setup.sh test
	@scripts/build.sh --tests
	@scripts/busybox-image.sh
	@scripts/test.sh

test-kubernetes: ## what goes to Kubernetes, on a real cluster of one node, made here from Debian's sources
	@scripts/setup.sh test kubernetes
	@scripts/build.sh
	@scripts/test-kubernetes.sh

stop: ## take the examples down and stop the daemon
	@scripts/example.sh stop

clean: ## stop, and remove Escale's state and all build output
	@scripts/example.sh clean
	@[ ! -e .build/kubernetes/state ] || Tests/Kubernetes/cluster.py down
	@rm -rf .build Benchmarks/.build build

bench: ## compare with docker-compose, Swarm mode and HAProxy on this machine
	@scripts/setup.sh bench
	@scripts/build.sh
	@scripts/busybox-image.sh
	@scripts/test-images.sh
	@Benchmarks/replicas.py
	@Benchmarks/rolling.py
	@Benchmarks/gateway.py
	@Benchmarks/compose.py
	@Benchmarks/images.py
	@Benchmarks/many.py

deb: ## make the Debian package, build/escale_VERSION_ARCH.deb
	@scripts/setup.sh deb
	@scripts/build.sh
	@scripts/deb.sh

fmt: ## format the Swift sources
	@swift format --in-place --recursive --parallel Package.swift Sources Tests
