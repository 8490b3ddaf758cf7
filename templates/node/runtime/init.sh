run=${CLOUDFUNC_RUN:-/run/cloudfunc}
watch=
[ ! -p "$run/host" ] || exec 3<"$run/host"
"$@" 3<&- &
guest=$!
# From here on a shell has nothing to say, and perhaps nobody who reads it.
exec 2>/dev/null
trap 'kill -9 $guest; exit 0' USR1
trap 'kill -9 $guest; exit 143' TERM
if [ -p "$run/host" ]; then
  (read -r _ <&3; kill -USR1 $$) &
  watch=$!
fi
exec 3<&-
wait $guest
code=$?
[ -z "$watch" ] || kill -9 $watch
exit $code
