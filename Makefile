# `make demo`: build, make sure a Vulkan, Metal or DX12 driver is there, train for two to three minutes.
# `make test`: everything that must hold before a change lands.

HELMHOLTZ := target/release/helmholtz
# Mesa complains on stderr where it is unset
export XDG_RUNTIME_DIR ?= /tmp

.PHONY: all demo test planted clean

all:
	cargo build --release

demo: all
	./.ci/vulkan $(HELMHOLTZ)
	$(HELMHOLTZ) train electron-gas n=13 dim=2 rs=10 theta=0.15 steps=150 batch=256 \
	  max_norm=0.01 decay=60 eval_steps=40 --out runs/demo --fresh

test:
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps
	./.ci/vulkan
	cargo test --release

# not part of `make test`: minutes a row
planted:
	./.ci/planted

clean:
	cargo clean
