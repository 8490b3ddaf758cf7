#!/bin/sh
# Makes `bootstrap` with this machine's rustc, for machines of its kind. The C library is linked into it, so that it runs in
# any image (Debian's is in the package libc6-dev).
set -eu
cd "$(dirname "$0")"
rustc --edition 2024 --crate-name bootstrap -O -C strip=symbols -C target-feature=+crt-static -o bootstrap main.rs
