# What a developer or a curious visitor types. Everything runs with the Node that npm installs into node_modules, so that
# the machine's own (20 or newer) only has to run npm.

.DEFAULT_GOAL := help
.PHONY: help demo test check bench cluster format clean runtime dependencies

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: runtime ## See it work: a real control plane, the chart, and a backup; KEEP=1 leaves it up
	@npm run --silent demo

test: dependencies ## Run every check and every test; the last line counts them
	@npm test --silent

check: dependencies ## Format, lint, types, dead code and unit tests: seconds, before every commit
	@npm run --silent check

bench: dependencies ## Measure what it costs, beside what others would build: 20 minutes
	@npm run --silent bench

cluster: runtime ## Start the control plane alone, until Ctrl-C
	@npm run --silent cluster

format: dependencies ## Format every file
	@npm run --silent format

clean: ## Remove what was installed or built in this directory
	rm -rf node_modules dist coverage

# The demo needs no tools of development, which are a quarter of what is to be downloaded. Whatever was installed for this
# package-lock.json is enough.
runtime: npm
	@[ node_modules/.package-lock.json -nt package-lock.json ] || { echo "Installing (npm ci)"; npm ci --omit=dev; }

dependencies: npm
	@[ node_modules/.package-lock.json -nt package-lock.json ] && [ -e node_modules/.bin/oxlint ] || { echo "Installing (npm ci)"; npm ci; }

.PHONY: npm
npm:
	@command -v npm >/dev/null || { echo "npm is needed: install Node.js 20 or newer from https://nodejs.org"; exit 1; }
