# shellcheck shell=bash
# A throw-away PostgreSQL and RabbitMQ for the test-suite, on free loopback ports, each in a folder of its own:
#   port   where it listens, once it answers     keep   (present) outlives the run that started it
# A server that answers is used as it is; anything else in its folder is what a killed run or
# a reboot left, and is thrown away: both start from nothing in seconds.

POSTGRES=$STATE/postgres
RABBITMQ=$STATE/rabbitmq

# free_ports N: they differ from each other, because all are held until the last is found
free_ports() {
  python3 - "$1" <<'P'
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held))
P
}

# new_folder PATH USER: empty, and the service's user's own when we are root
new_folder() {
  rm -rf "$1"
  mkdir -p "$1"
  [ "$(id -u)" != 0 ] || chown "$2:" "$1"
}

# ---- PostgreSQL ----

postgres_bin() { compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1; }
postgres_url() { echo "postgres://postgres@127.0.0.1:$(cat "$POSTGRES/port")/cloudfunc"; }
postgres_pid() { head -n 1 "$POSTGRES/data/postmaster.pid" 2>/dev/null || true; }

postgres_answers() {
  is_process "$(postgres_pid)" "$POSTGRES/data" && [ -s "$POSTGRES/port" ] \
    && "$(postgres_bin)/psql" -qtA "$(postgres_url)" -c 'select 1' >/dev/null 2>&1
}

start_postgres() {
  postgres_answers && return
  stop_postgres
  say "postgres: starting"
  local bin port log=$STATE/postgres.log
  bin=$(postgres_bin) port=$(free_ports 1)
  new_folder "$POSTGRES" postgres
  # nothing in it has to survive a power cut, so nothing waits for the disk; a kill loses nothing that was committed
  cd "$POSTGRES" || return
  { as_user postgres "$bin/initdb" -D "$POSTGRES/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
    && launch_postgres "$port" \
    && as_user postgres "$bin/createdb" -h 127.0.0.1 -p "$port" -U postgres cloudfunc
  } >"$log" 2>&1 </dev/null || { tail -n 30 "$log" "$POSTGRES/server.log" >&2; die "PostgreSQL did not start"; }
  echo "$port" >"$POSTGRES/port"
  say "postgres: ready on port $port"
}

# launch_postgres PORT: on the folder as it is; also what was halted goes on with its data.
launch_postgres() {
  cd "$POSTGRES" || return
  as_user postgres "$(postgres_bin)/pg_ctl" -D "$POSTGRES/data" -l "$POSTGRES/server.log" -w -t 60 \
    -o "-p $1 -c listen_addresses=127.0.0.1 -c unix_socket_directories=$POSTGRES -c max_connections=300" \
    -o '-c fsync=off -c full_page_writes=off' start
}

# At once, as a crash: what it has in memory is read from its log again.
halt_postgres() { end_process "$(postgres_pid)" "$POSTGRES/data" QUIT; }

stop_postgres() {
  # SIGQUIT: no waiting for clients and no checkpoint, as the data is thrown away
  end_process "$(postgres_pid)" "$POSTGRES/data" QUIT
  rm -rf "$POSTGRES"
}

# ---- RabbitMQ ----

rabbitmq_url() { echo "amqp://guest:guest@127.0.0.1:$(cat "$RABBITMQ/port")/%2f"; }

# An AMQP handshake, not just an open port: the broker answers a protocol header with a method frame (type 1).
speaks_amqp() {
  python3 - "$1" 2>/dev/null <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)
s.settimeout(5)
s.sendall(b"AMQP\0\0\x09\x01")
sys.exit(0 if s.recv(1) == b"\x01" else 1)
P
}
rabbitmq_pid() { cat "$RABBITMQ/pid" 2>/dev/null || true; }

rabbitmq_answers() {
  is_process "$(rabbitmq_pid)" "$RABBITMQ" && [ -s "$RABBITMQ/port" ] && speaks_amqp "$(cat "$RABBITMQ/port")"
}

start_rabbitmq() {
  rabbitmq_answers && return
  stop_rabbitmq
  new_folder "$RABBITMQ" rabbitmq
  free_ports 3 >"$RABBITMQ/ports" # AMQP, epmd, distribution
  echo '[].' >"$RABBITMQ/enabled_plugins" # no plugins: the quickest start
  echo "listeners.tcp.1 = 127.0.0.1:$(cut -d ' ' -f 1 "$RABBITMQ/ports")" >"$RABBITMQ/rabbitmq.conf"
  echo "${CLOUDFUNC_TEST_RABBITMQ_CONF:-}" >>"$RABBITMQ/rabbitmq.conf" # of a test that wants a special one
  launch_rabbitmq
}

# Every path and port is its own: the system's node, its cookie and its epmd are not touched.
rabbitmq_settings() {
  local port epmd_port dist_port
  read -r port epmd_port dist_port <"$RABBITMQ/ports"
  printf '%s\n' HOME="$RABBITMQ" ERL_EPMD_PORT="$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_NODENAME="cloudfunc$port@localhost" RABBITMQ_DIST_PORT="$dist_port" \
    RABBITMQ_MNESIA_BASE="$RABBITMQ/mnesia" RABBITMQ_LOG_BASE="$RABBITMQ/log" RABBITMQ_LOGS="$RABBITMQ/log/rabbit.log" \
    RABBITMQ_CONFIG_FILE="$RABBITMQ/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$RABBITMQ/enabled_plugins" \
    RABBITMQ_CONF_ENV_FILE=/dev/null
}

# control_rabbitmq COMMAND…: rabbitmqctl, for this node.
control_rabbitmq() {
  local settings
  mapfile -t settings < <(rabbitmq_settings)
  cd "$RABBITMQ" || return
  as_user rabbitmq env "${settings[@]}" /usr/lib/rabbitmq/bin/rabbitmqctl --quiet "$@"
}

# On the folder as it is: also what was halted goes on with its ports and its data.
launch_rabbitmq() {
  say "rabbitmq: starting"
  local port settings
  read -r port _ <"$RABBITMQ/ports"
  mapfile -t settings < <(rabbitmq_settings)
  cd "$RABBITMQ" || return
  # the Erlang VM sizes its tables by this number
  ulimit -n "$(($(ulimit -Hn) < 65536 ? $(ulimit -Hn) : 65536))"
  # one process group: the shell that leads it (its pid is the recorded one), epmd, and the broker
  # shellcheck disable=SC2016  # expanded by the inner shell
  as_user rabbitmq env "${settings[@]}" setsid --fork sh -c \
    'echo $$ >"$0/pid"; epmd -address 127.0.0.1 & /usr/lib/rabbitmq/bin/rabbitmq-server; kill $!' "$RABBITMQ" \
    >"$RABBITMQ/output.log" 2>&1 </dev/null
  for _ in $(seq 300); do
    sleep 0.2
    if speaks_amqp "$port"; then
      echo "$port" >"$RABBITMQ/port"
      say "rabbitmq: ready on port $port"
      return
    fi
    is_process "$(rabbitmq_pid)" "$RABBITMQ" || break
  done
  tail -n 30 "$RABBITMQ/output.log" >&2
  die "RabbitMQ did not start"
}

# At once: the broker says no goodbye to anybody.
halt_rabbitmq() {
  local pid; pid=$(rabbitmq_pid)
  ! is_process "$pid" "$RABBITMQ" || send KILL "-$pid"
}

stop_rabbitmq() {
  halt_rabbitmq
  rm -rf "$RABBITMQ"
}
