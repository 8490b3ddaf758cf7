# shellcheck shell=bash
# Shared by the pieces of `tests/run`: where things live, how they speak, how they become root.

# Everything that the tests keep between runs. Under /var/tmp because the database's and the
# broker's own users must be able to reach it.
# shellcheck disable=SC2034  # read by the files that source this one
STATE=${CLOUDFUNC_TEST_STATE:-/var/tmp/cloudfunc-tests}

# Debian keeps dockerd, debootstrap and iptables in folders that not every user has in PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&2; }
die() { printf 'tests/run: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else die "this needs root, and sudo is not installed: run as root, or have an administrator run: $*"
  fi
}

# as_user NAME COMMAND…: as the service's own user when we are root (its server refuses root), else as ourselves.
as_user() {
  local user=$1; shift
  if [ "$(id -u)" = 0 ]; then setpriv --reuid="$user" --regid="$user" --init-groups "$@"; else "$@"; fi
}

# is_process PID WORD: the process lives and WORD is in its command line, so that a number
# that was given to another program since (a reboot) is never taken for ours.
is_process() {
  [[ ${1:-} =~ ^[0-9]+$ ]] && tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- "$2"
}

# send SIGNAL TARGET: as root only where that is needed (the engine is root's)
send() { kill "-$1" -- "$2" 2>/dev/null || as_root kill "-$1" -- "$2"; }

# end_process PID WORD SIGNAL: asks it to end with SIGNAL, and kills it when it has not within 30 s.
end_process() {
  is_process "$1" "$2" || return 0
  send "$3" "$1"
  for _ in $(seq 300); do is_process "$1" "$2" || return 0; sleep 0.1; done
  send KILL "$1"
}

# background COMMAND…: in a process group of its own, so that an interrupted run can end all of it. Its id is in $!.
JOBS=()
background() {
  set -m
  "$@" </dev/null &
  set +m
  JOBS+=("$!")
}

# wait_for ID…: fails if one of them failed, but waits for all.
wait_for() {
  local job failed=0
  for job in "$@"; do wait "$job" || failed=1; done
  JOBS=()
  return $failed
}

end_background() {
  local job
  for job in "${JOBS[@]}"; do kill -TERM -- "-$job" 2>/dev/null || true; done
}
