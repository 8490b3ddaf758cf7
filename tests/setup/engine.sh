# shellcheck shell=bash
# A Docker engine: the one that answers, else one of our own start.

engine_answers() { have docker && timeout 20 docker info >/dev/null 2>&1; }

# A pid file that outlived its process makes dockerd refuse to start once the number is taken by another program.
forget_stale_pid() {
  local file=$1 name=$2
  if [ -e "$file" ] && ! is_process "$(cat "$file")" "$name"; then as_root rm -f "$file"; fi
}

may_use_engine() {
  local socket=/var/run/docker.sock
  [ ! -S $socket ] || [ -w $socket ] || die "$(id -un) may not use $socket: add the user to group docker and log in again"
}

start_engine() {
  engine_answers && return
  may_use_engine
  [ -z "${DOCKER_HOST:-}" ] || die "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST"
  say "engine: starting dockerd (log: $STATE/dockerd.log)"
  forget_stale_pid /var/run/docker.pid dockerd
  forget_stale_pid /var/run/docker/containerd/containerd.pid containerd
  # detached: the engine outlives this run, and is for the next one too
  # shellcheck disable=SC2016  # expanded by the inner shell
  as_root setsid --fork sh -c 'echo $$ >"$1/dockerd.pid"; exec dockerd >"$1/dockerd.log" 2>&1' - "$STATE" </dev/null
  for _ in $(seq 300); do
    sleep 0.2
    engine_answers && return
    if [ "$(id -u)" != 0 ] && as_root docker info >/dev/null 2>&1; then may_use_engine; fi
    is_process "$(cat "$STATE/dockerd.pid")" dockerd || break
  done
  tail -n 20 "$STATE/dockerd.log" >&2
  die "the Docker engine did not start"
}

stop_engine() {
  end_process "$(cat "$STATE/dockerd.pid" 2>/dev/null)" dockerd TERM
  rm -f "$STATE/dockerd.pid"
}

# ---- a second engine beside it, of one test: everything of it is in $STATE ----

second_docker() { docker --host "unix://$STATE/docker.sock" "$@"; }

start_second_engine() {
  # no network: in a namespace of its own, as an engine that is told to have no bridge deletes docker0
  launch_second_engine unshare --net -- --bridge=none --iptables=false
}

# On the folder as it is, in a network namespace that is there: its containers reach what that one reaches.
start_second_engine_in() { launch_second_engine nsenter --net="/run/netns/$1" --; }

# launch_second_engine COMMAND… -- OPTION…: how it gets into its namespace, and what it is told beside its paths
launch_second_engine() {
  local into=()
  while [ "$1" != -- ]; do into+=("$1"); shift; done
  shift
  forget_stale_pid "$STATE/docker.pid" dockerd
  forget_stale_pid "$STATE/run/containerd/containerd.pid" containerd
  # shellcheck disable=SC2016  # expanded by the inner shell
  as_root setsid --fork sh -c 'state=$1; shift; echo $$ >"$state/dockerd.pid"; exec "$@" >"$state/dockerd.log" 2>&1' \
    - "$STATE" "${into[@]}" dockerd --data-root "$STATE/data" --exec-root "$STATE/run" \
    --pidfile "$STATE/docker.pid" --host "unix://$STATE/docker.sock" "$@" </dev/null
  for _ in $(seq 300); do
    sleep 0.2
    second_docker info >/dev/null 2>&1 && return
    is_process "$(cat "$STATE/dockerd.pid")" dockerd || break
  done
  tail -n 20 "$STATE/dockerd.log" >&2
  die "the second Docker engine did not start"
}

stop_second_engine() {
  stop_engine
  as_root rm -rf "$STATE/data" "$STATE/run"
}
