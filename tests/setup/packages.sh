# shellcheck shell=bash
# Installs what is missing from Debian's packages, and lets none of their servers start:
# the tests start their own, on free ports.

POLICY=/usr/sbin/policy-rc.d
POLICY_SAVED=$POLICY.before-cloudfunc-tests
POLICY_MARK='# cloudfunc tests/run: no server starts while packages are installed'

# Maintainer scripts ask this file before they start a server. Also mends what a killed run left.
servers_may_start() {
  if grep -qsF "$POLICY_MARK" "$POLICY"; then as_root rm -f "$POLICY"; fi
  if [ -e "$POLICY_SAVED" ]; then as_root mv -f "$POLICY_SAVED" "$POLICY"; fi
}
servers_must_not_start() {
  servers_may_start
  if [ -e "$POLICY" ]; then as_root mv "$POLICY" "$POLICY_SAVED"; fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY" >/dev/null
  as_root chmod 755 "$POLICY"
}

# Waits when another program holds apt's locks (apt's own Lock::Timeout covers only one of the three).
apt() {
  local log=$STATE/apt.log
  for _ in $(seq 60); do
    if as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300 \
      -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io "$@" </dev/null >"$log" 2>&1; then return 0; fi
    grep -q 'Could not get lock' "$log" || return 1
    sleep 5
  done
  return 1
}

# install_packages NAME…: from the lists as they are; if those are missing or too old, after an update.
# A subshell, so that its trap is its own.
install_packages() (
  [ $# -gt 0 ] || return 0
  have apt-get || die "please install what Debian calls: $*"
  say "packages: installing $*"
  servers_must_not_start
  trap servers_may_start EXIT
  apt install --no-install-recommends "$@" \
    || { as_root dpkg --configure -a >/dev/null 2>&1; apt update && apt install --no-install-recommends "$@"; } \
    || { tail -n 30 "$STATE/apt.log" >&2; die "could not install: $*"; }
)

# What the tests need, judged by the programs themselves: another source than Debian is as good.
missing_packages() {
  if ! engine_answers; then
    have dockerd || echo docker.io
    have debootstrap || echo debootstrap
  fi
  have iptables || echo iptables
  have ip || echo iproute2
  have slirp4netns || echo slirp4netns
  have docker || echo docker.io
  have docker-compose || docker compose version >/dev/null 2>&1 || echo docker-compose
  have setpriv || echo util-linux
  have curl || echo curl
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo rabbitmq-server
  have nix || echo nix-bin
  have bsdtar || echo libarchive-tools
  have nginx || [ -x /usr/sbin/nginx ] || echo nginx-light
  have caddy || echo caddy
  have chromium-headless-shell || have chromium || echo chromium-headless-shell
}
