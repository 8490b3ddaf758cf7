# shellcheck shell=bash
# The images that the tests run: the public ones where they are present or can be pulled, else
# stand-ins built from Debian's packages (tests/images/), which are given to the product through its
# settings and never carry a public tag. An image whose recipe is unchanged is not built again.

SUITE=bookworm
BASE=cloudfunc-test/base:$SUITE
IMAGES=(python node native postgres rabbitmq)
declare -A PUBLIC=([python]=python:3.12-slim [node]=node:22-slim [native]=debian:12-slim [postgres]=postgres:16 [rabbitmq]=rabbitmq:3-management)
declare -A STAND_IN=([python]=cloudfunc-test/python:3.11-slim [node]=cloudfunc-test/node:22-slim [native]=cloudfunc-test/native:12-slim [postgres]=cloudfunc-test/postgres:15 [rabbitmq]=cloudfunc-test/rabbitmq:3-management)
declare -A SETTING=([python]=CLOUDFUNC_PYTHON_IMAGE [node]=CLOUDFUNC_NODE_IMAGE [native]=CLOUDFUNC_NATIVE_IMAGE [postgres]=CLOUDFUNC_POSTGRES_IMAGE [rabbitmq]=CLOUDFUNC_RABBITMQ_IMAGE)
RECIPE_LABEL=cloudfunc.recipe

has_image() { docker image inspect "$1" >/dev/null 2>&1; }
is_built() { [ "$(docker image inspect -f "{{index .Config.Labels \"$RECIPE_LABEL\"}}" "$1" 2>/dev/null)" = "$2" ]; }
recipe_of() { sha256sum | cut -c1-16; }

# Asks the registry once and remembers a "no" for a day: where none can be reached, asking costs seconds.
can_pull() {
  local no=$STATE/no-registry
  [ -z "$(find "$no" -mmin -1440 2>/dev/null)" ] || return 1
  if timeout 15 docker manifest inspect "$1" >/dev/null 2>&1; then rm -f "$no"; else touch "$no"; return 1; fi
}

is_public() { has_image "$1" || { can_pull "$1" && timeout 900 docker pull -q "$1" >/dev/null; }; }

# prepare_images: writes one `export` line for each image that is not the public one.
prepare_images() {
  local name stand_ins=()
  : >"$STATE/images.env"
  for name in "${IMAGES[@]}"; do
    local setting=${SETTING[$name]}
    if [ -n "${!setting:-}" ]; then
      echo "export $setting=${!setting}" >>"$STATE/images.env" # the caller's own choice
    elif ! is_public "${PUBLIC[$name]}"; then
      stand_ins+=("$name")
      echo "export $setting=${STAND_IN[$name]}" >>"$STATE/images.env"
    fi
  done
  [ ${#stand_ins[@]} -gt 0 ] || return 0

  build_base
  local pids=() pid failed=0
  for name in "${stand_ins[@]}"; do build_stand_in "$name" & pids+=($!); done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return $failed
}

# A minimal Debian, from the mirror that this machine's apt uses. Its package lists stay in
# the image: the stand-ins install without another update.
build_base() {
  local mirror root=$STATE/images/base log=$STATE/images/base.log
  # shellcheck disable=SC2016  # apt expands these
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null \
    | awk -v suite=$SUITE '$2 == suite && $3 == "main" { print $1; exit }')
  mirror=${mirror:-http://deb.debian.org/debian}
  BASE_RECIPE=$({ echo "$mirror"; cat "$HERE/images/base.sh"; } | recipe_of)
  is_built "$BASE" "$BASE_RECIPE" && return

  say "images: base ($SUITE from $mirror)"
  have debootstrap || install_packages debootstrap
  as_root rm -rf --one-file-system "$root"
  mkdir -p "$STATE/images"
  # its own mount namespace: what debootstrap mounts is gone with it, even when it is killed
  as_root unshare --mount bash "$HERE/images/base.sh" "$SUITE" "$root" "$mirror" >"$log" 2>&1 \
    || { tail -n 20 "$log" >&2; die "could not build $BASE"; }
  as_root tar -C "$root" --numeric-owner -c . \
    | docker import -c "LABEL $RECIPE_LABEL=$BASE_RECIPE" -c 'CMD ["bash"]' - "$BASE" >/dev/null
  as_root rm -rf --one-file-system "$root"
}

build_stand_in() {
  local name=$1 tag=${STAND_IN[$1]} log=$STATE/images/$1.log recipe
  local context=$HERE/images/$name
  # Node's own program is not a package of Debian's.
  if [ "$name" = node ]; then
    fetch_node
    context=$NODE
  fi
  recipe=$({ echo "$BASE_RECIPE"; cat "$HERE/images/$name"/*; [ "$name" != node ] || cat "$NODE/version"; } | recipe_of)
  is_built "$tag" "$recipe" && return
  say "images: $tag in place of ${PUBLIC[$name]}"
  # the classic builder: it is in every engine; host network: apt then works as it does on this machine
  DOCKER_BUILDKIT=0 docker build --network host --force-rm --build-arg BASE="$BASE" \
    --label "$RECIPE_LABEL=$recipe" -t "$tag" -f "$HERE/images/$name/Dockerfile" "$context" >"$log" 2>&1 \
    || { tail -n 40 "$log" >&2; die "could not build $tag"; }
  say "images: $tag is ready"
}
