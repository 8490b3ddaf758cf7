# shellcheck shell=bash
# schemathesis for tests/it/openapi.rs: from PyPI, once, in a folder of its own.

SCHEMATHESIS_VERSION=4.32.5
SCHEMATHESIS=$STATE/schemathesis-$SCHEMATHESIS_VERSION

fetch_schemathesis() {
  [ ! -e "$SCHEMATHESIS/complete" ] || return 0
  say "schemathesis: fetching version $SCHEMATHESIS_VERSION"
  local new log=$STATE/schemathesis.log
  new=$(mktemp -d "$STATE/schemathesis.XXXXXX")
  timeout 300 python3 -m pip install --quiet --disable-pip-version-check --no-compile --target "$new" \
    "schemathesis==$SCHEMATHESIS_VERSION" >"$log" 2>&1 || { rm -rf "$new"; tail -n 20 "$log" >&2; die "could not fetch schemathesis"; }
  chmod 755 "$new"
  touch "$new/complete"
  rm -rf "$SCHEMATHESIS"
  mv "$new" "$SCHEMATHESIS"
}
