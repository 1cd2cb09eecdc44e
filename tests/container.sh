#!/usr/bin/env bash
# Builds the image and runs it as its users will: tests/container.sh
#
# A Docker daemon that answers is used as it is. Without one, root on Debian gets podman and runc
# from apt, with images of their own under $CONTAINER_STATE; and where no registry answers, a
# stand-in for the base image, made of Debian packages. Where none of that can be had, one line
# "SKIP container test: REASON" says so. A build or a run that fails is a failure, never a skip.
#
#   CONTAINER_TEST=require    a skip, too, is a failure
#   CONTAINER_ENGINE=podman   do not look for Docker
#   CONTAINER_STATE=DIR       podman's images and caches, 3 GB (~/.cache/bench-container)
set -euo pipefail
cd "$(dirname "$0")/.."

state=${CONTAINER_STATE:-${XDG_CACHE_HOME:-$HOME/.cache}/bench-container}
image=localhost/bench-test
sha=0123456789abcdef0123456789abcdef01234567
name=bench-test-$$
work=$(mktemp -d)
server=
engine=

skip() {
  echo "SKIP container test: $*"
  [ "${CONTAINER_TEST:-}" != require ]
  exit
}

fail() {
  echo "FAIL container test: $*"
  exit 1
}

step=$SECONDS
passed() {
  printf 'ok %4d s  %s\n' $((SECONDS - step)) "$*"
  step=$SECONDS
}

tidy() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  if [ -n "$engine" ]; then
    "$engine" rm --force "$name" >/dev/null 2>&1 || true
    # What the containers wrote belongs to other users: a container's root may delete it.
    [ "$(id -u)" = 0 ] || "$engine" run --rm --user 0 -v "$work:/left" --entrypoint find "$image" \
      /left -mindepth 1 -delete >/dev/null 2>&1 || true
  fi
  rm -rf "$work"
}
trap tidy EXIT

installed() { command -v "$1" >/dev/null; }

debian() { # the named packages, for root on Debian
  [ "$(id -u)" = 0 ] && installed apt-get || return 1
  apt-get update -qq >/dev/null 2>&1 || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

pip_setting() { # pip's own setting of this machine, empty where it has none
  python3 -m pip config get "global.$1" 2>/dev/null ||
    python3 -m pip config get ":env:.$1" 2>/dev/null || true
}

at_most() { # a hard limit of this shell, or the given number where that is lower
  local limit
  limit=$(ulimit -H "$1")
  if [ "$limit" = unlimited ] || [ "$limit" -gt "$2" ]; then limit=$2; fi
  echo "$limit"
}

# -- an engine ------------------------------------------------------------------------------------
if [ "${CONTAINER_ENGINE:-docker}" = docker ] && docker info >/dev/null 2>&1; then
  engine=docker
  export DOCKER_BUILDKIT=1
else
  [ "$(id -u)" = 0 ] || skip "no Docker daemon answers, and only root can set up podman"
  { installed podman && installed runc; } || debian podman runc iptables netavark ||
    skip "no Docker daemon answers, and podman and runc cannot be installed"
  engine=podman
  mkdir -p "$state/tmp"
  export TMPDIR=$state/tmp # build caches go there, too
  export CONTAINERS_CONF=$state/containers.conf CONTAINERS_STORAGE_CONF=$state/storage.conf
  # podman's defaults ask for more files and processes than a container's root may have, and for
  # systemd; 32768 processes are podman's own ceiling.
  cat >"$CONTAINERS_CONF" <<CONF
[containers]
default_ulimits = ["nofile=$(at_most -n 1048576):$(at_most -n 1048576)", "nproc=$(at_most -u 32768):$(at_most -u 32768)"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
  cat >"$CONTAINERS_STORAGE_CONF" <<CONF
[storage]
driver = "${STORAGE_DRIVER:-overlay}"
graphroot = "$state/images"
runroot = "$state/run"
CONF
fi
passed "engine: $("$engine" --version)"

# -- a base image ---------------------------------------------------------------------------------
build=("$engine" build --tag "$image" --build-arg "GIT_SHA=$sha")
base=$(sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile)
if ! "$engine" image inspect "$base" >/dev/null 2>&1 &&
  ! timeout 120 "$engine" pull -q "$base" >/dev/null 2>&1; then
  # pip must find inside the build what it finds on this machine.
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$work/pip.conf"
  for key in index-url extra-index-url trusted-host; do
    value=$(pip_setting "$key" | tr ' ' '\n' | { grep -v '^file:' || true; } | xargs)
    [ -z "$value" ] || echo "$key = $value" >>"$work/pip.conf"
  done
  release=${base%%@*}
  release=${release##*-}
  base=localhost/bench-test-base:$(cksum <"$work/pip.conf" | cut -d ' ' -f 1)
  if ! "$engine" image inspect "$base" >/dev/null 2>&1; then
    installed mmdebstrap || debian mmdebstrap ||
      skip "the base image cannot be pulled, and mmdebstrap cannot be installed to make one"
    # shellcheck disable=SC2016  # $1 is mmdebstrap's to fill in
    mmdebstrap --quiet --variant=minbase \
      --include=ca-certificates,netbase,tzdata,python3,python3-pip,python3-venv \
      --customize-hook='ln -s /usr/bin/python3 "$1/usr/local/bin/python"' \
      --customize-hook='cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" 2>/dev/null || true' \
      --customize-hook='chroot "$1" update-ca-certificates >/dev/null' \
      --customize-hook="upload $work/pip.conf /etc/pip.conf" \
      "$release" "$work/base.tar" >"$work/log" 2>&1 ||
      skip "the base image can neither be pulled nor made: $(tail -n 1 "$work/log")"
    "$engine" import -c 'CMD ["python3"]' "$work/base.tar" "$base" >/dev/null 2>&1
    rm "$work/base.tar"
  fi
  build+=(--build-arg "PYTHON_IMAGE=$base" --network host)
fi
passed "base image: $base"

# -- the build ------------------------------------------------------------------------------------
# A wheel of the CPU's torch in a folder that pip looks into anyway is served as a torch index.
kind=cpu
torch=$(sed -n 's/^torch==//p' constraints.txt)
for folder in $(pip_setting find-links); do
  compgen -G "$folder/torch-$torch+cpu-*.whl" >/dev/null || continue
  for package in torch torchvision; do
    mkdir -p "$work/index/$package"
    find "$folder" -name "$package-*.whl" -exec ln -sf {} "$work/index/$package" \;
  done
  for port in 28451 28452 28453; do # fixed: the address is part of the build's cache key
    python3 -m http.server "$port" --bind 127.0.0.1 --directory "$work/index" >/dev/null 2>&1 &
    server=$!
    sleep 1
    ! kill -0 "$server" 2>/dev/null || break
  done
  build+=(--build-arg "TORCH_INDEX_URL=http://127.0.0.1:$port" --network host)
  break
done
index=$(sed -n 's/^ARG TORCH_INDEX_URL=//p' Dockerfile)
if [ -z "$server" ] && ! timeout 60 python3 -c \
  'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=30)' "$index/torch/" 2>/dev/null; then
  kind=gpu # PyPI's torch, where the index of the CPU's does not answer: larger, and all by hash
  build+=(--build-arg TORCH=gpu)
fi
"${build[@]}" . >"$work/build.log" 2>&1 || {
  tail -n 40 "$work/build.log"
  fail "the build"
}
passed "build: $(($("$engine" image inspect --format '{{.Size}}' "$image") / 1000000)) MB"

# -- what is in it --------------------------------------------------------------------------------
[ "$("$engine" image inspect --format '{{json .Config.Entrypoint}}' "$image")" = '["bench"]' ] ||
  fail "the entry point is not bench itself"
[ "$("$engine" run --rm --entrypoint id "$image" -u)" != 0 ] || fail "root is the default user"
torch=$("$engine" run --rm --entrypoint python "$image" -c \
  'from importlib.metadata import version; print(version("torch"))')
[[ $torch == *+cpu || $kind = gpu ]] || fail "torch $torch is not the CPU's, which is the default"
found=$("$engine" run --rm --user 0 --entrypoint find "$image" / -xdev \
  \( -name .git -o -name .venv -o -path '*/site-packages/pytest' -o -path '/out/*' -o -path '/src/*' \))
[ -z "$found" ] || fail "does not belong into the image: $found"
passed "contents: torch $torch, neither repository nor tests nor data, not root"

# -- runs: no network, no rights, nothing writable but /tmp and the volume ------------------------
run=("$engine" run --rm --network none --read-only --tmpfs /tmp --cap-drop ALL
  --security-opt no-new-privileges)

rights=$("${run[@]}" --entrypoint grep "$image" -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs):' /proc/self/status)
[ "$(tr -d '\t\n' <<<"$rights")" = CapPrm:0000000000000000CapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1 ] ||
  fail "the container has rights: $rights"
passed "no capabilities, no new privileges"

told=$("${run[@]}" "$image" --version)
for part in "$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" "${sha:0:7}"; do
  [[ $told == *"$part"* ]] || fail "--version does not tell $part: $told"
done
passed "$told"

code=0
told=$("${run[@]}" "$image" --suite digit 2>&1) || code=$?
[ $code = 2 ] || fail "an unknown suite ends with $code, not 2: $told"
[[ $told == *'Did you mean "digits"?'* ]] || fail "an unknown suite is not explained: $told"
passed "an unknown suite: 2, and the name that was meant"

code=0
told=$("${run[@]}" --entrypoint python "$image" -c \
  'import bench.cli.data, bench.__main__; bench.cli.data.print_rows = None; bench.__main__.main()' 2>&1) || code=$?
[ $code = 70 ] || fail "a fault of bench ends with $code, not 70: $told"
[[ $told == *'this is a fault of bench'* ]] || fail "a fault is not called one: $told"
passed "a fault of bench: 70"

mkdir -m 1777 "$work/done" "$work/cut"
"${run[@]}" --user 1234:1234 -v "$work/done:/out" "$image" \
  --suite digits --seeds 1 --methods standard >"$work/log" 2>&1 ||
  { code=$?; tail -n 40 "$work/log"; fail "--suite digits ends with $code"; }
compgen -G "$work/done/site/*.html" >/dev/null || fail "no pages"
[ -n "$(find "$work/done/results" -name '*.json')" ] || fail "no results"
others=$(find "$work/done" -mindepth 1 ! -user 1234)
[ -z "$others" ] || fail "not the user's own: $others"
passed "--suite digits: results and pages are user 1234's own"

ask() { # GET in the container, from Python: slim images have no curl
  "$engine" exec "$name" python -c \
    'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5).read()' "$1"
}
"${run[@]}" --name "$name" --user 1234:1234 -v "$work/done:/out" "$image" \
  ui --host 0.0.0.0 --port 5000 >"$work/log" 2>&1 &
client=$!
until ask http://localhost:5000/ 2>/dev/null; do
  { kill -0 "$client" 2>/dev/null && ((SECONDS - step < 300)); } ||
    { tail -n 40 "$work/log"; fail "bench ui does not answer"; }
  sleep 1
done
"$engine" stop "$name" >/dev/null
wait "$client" || true
passed "bench ui answers on the same volume"

"${run[@]}" --name "$name" -v "$work/cut:/out" "$image" \
  --suite digits --seeds 50 >"$work/log" 2>&1 &
client=$!
until compgen -G "$work/cut/results/digits/trials/*.json" >/dev/null; do
  { kill -0 "$client" 2>/dev/null && ((SECONDS - step < 600)); } ||
    { tail -n 40 "$work/log"; fail "no result to interrupt after"; }
  sleep 0.2
done
first=$("$engine" exec "$name" cat /proc/1/cmdline | tr '\0' ' ')
[[ $first == *python*/bench\ --suite\ digits* ]] || fail "process 1 is not bench: $first"
stopping=$SECONDS
"$engine" stop -t 30 "$name" >/dev/null
stopping=$((SECONDS - stopping))
code=0
wait "$client" || code=$?
[ $code = 143 ] || { tail -n 40 "$work/log"; fail "SIGTERM ends with $code, not 143"; }
((stopping < 10)) || fail "SIGTERM takes $stopping s, and docker stop kills after 10"
halves=$(find "$work/cut" -name '*.tmp*')
[ -z "$halves" ] || fail "half-written: $halves"
"${run[@]}" -v "$work/cut:/out" --entrypoint python "$image" -c \
  'import json, pathlib; [json.loads(p.read_text()) for p in pathlib.Path("results").rglob("*.json")]' ||
  fail "a result is not whole"
passed "SIGTERM in the middle: 143 after $stopping s, nothing half-written"

echo "PASS container test ($engine)"
