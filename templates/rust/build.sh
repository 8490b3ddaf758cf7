#!/bin/sh
# Makes `bootstrap` with this machine's cargo, for machines of its kind. The C library is linked into it, so that it runs in
# any image: Debian's is in the package libc6-dev. In place of it, `TARGET=x86_64-unknown-linux-musl ./build.sh` takes
# musl's, after `rustup target add x86_64-unknown-linux-musl`.
set -eu
cd "$(dirname "$0")"
target=${TARGET:-$(uname -m)-unknown-linux-gnu}
RUSTFLAGS="-C target-feature=+crt-static ${RUSTFLAGS:-}" \
  cargo build --release --target "$target" --target-dir target
cp "target/$target/release/bootstrap" bootstrap
