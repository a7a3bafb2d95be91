#!/usr/bin/env bash
# Builds the container image without any registry and tries it: an alert that is posted comes out, the process is not
# root, the journal survives the container. It makes the base images from this machine's Go and certificates, and
# runs a Docker engine of its own, which leaves no network, image or process behind. Needs root, and on Debian
# installs docker.io and busybox-static where they are missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { echo "image: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail 'needs root, for the Docker engine'
missing=
for file in /usr/sbin/dockerd /usr/bin/docker /bin/busybox /etc/ssl/certs/ca-certificates.crt; do
    [ -e "$file" ] || missing=yes
done
if [ "$missing" ]; then
    command -v apt-get >/dev/null || fail 'needs docker.io, busybox-static and ca-certificates'
    apt-get update >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io busybox-static ca-certificates >/dev/null
fi

work=$(mktemp -d /tmp/tiercel-image.XXXXXX)
engine= containerd=
stop() { # stop PID: ends a process of ours and waits for it
    [ -n "$1" ] || return 0
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}
cleanup() {
    local rc=$?
    if [ $rc != 0 ]; then
        for name in first second third; do
            docker logs --tail 20 $name 2>&1 | sed "s/^/$name: /" >&2 || true
        done
        tail -n 20 "$work"/*.log >&2 || true
    fi
    stop "$engine"
    stop "$containerd"
    grep " $work/" /proc/mounts | cut -d' ' -f2 | sort -r | xargs -r umount -l 2>/dev/null || true
    rm -rf "$work"
    exit $rc
}
trap cleanup EXIT

until_ok() { # until_ok SECONDS COMMAND…
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

# ---- an engine of our own ----
cat >"$work/containerd.toml" <<TOML
version = 2
root = "$work/containerd"
state = "$work/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/containerd.sock"
TOML
containerd --config "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
containerd=$!
until_ok 30 test -S "$work/containerd.sock" || fail 'containerd did not start'
dockerd --host "unix://$work/docker.sock" --containerd "$work/containerd.sock" \
    --data-root "$work/docker" --exec-root "$work/docker-state" --pidfile "$work/docker.pid" \
    --bridge=none --iptables=false --ip-forward=false --ip-masq=false >"$work/dockerd.log" 2>&1 &
engine=$!
docker() { /usr/bin/docker --host "unix://$work/docker.sock" "$@"; }
until_ok 60 docker version || fail 'the Docker engine did not start'

# ---- the base image: Go and a shell, as the machine has them ----
base=$work/base
mkdir -p "$base"/{bin,etc/ssl/certs,root,tmp,usr/local}
chmod 1777 "$base/tmp"
cp "$(command -v busybox)" "$base/bin/busybox"
for tool in sh mkdir cp chmod ls cat; do ln -s busybox "$base/bin/$tool"; done
cp /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
cp -L /etc/resolv.conf /etc/hosts "$base/etc/" 2>/dev/null || true
cp -a "$(go env GOROOT)" "$base/usr/local/go"
tar -C "$base" -c . | docker import \
    --change 'ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local GOFLAGS=-p=2' \
    --change "ENV GOPROXY=$(go env GOPROXY)" - tiercel-go:local >/dev/null
rm -rf "$base"

# ---- the image ----
version=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)
since=$SECONDS
DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} docker build --network=host --quiet \
    --build-arg GO_IMAGE=tiercel-go:local --build-arg VERSION="$version" -t tiercel:test . >"$work/build.log" ||
    fail 'the image did not build'
echo "image: built in $((SECONDS - since)) s, $(docker image inspect -f '{{.Size}}' tiercel:test) bytes"
[ "$(docker image inspect -f '{{.Config.User}}' tiercel:test)" = 65532:65532 ] || fail 'the image runs as another user than 65532'
[ "$(docker run --rm --network=host tiercel:test version | grep -cF -- "$version")" -ge 1 ] || fail "the version is not $version"

# ---- the container ----
port=
for try in $(seq 28100 28199); do
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$try") 2>/dev/null; then
        port=$try
        break
    fi
done
[ -n "$port" ] || fail 'no free port'
start() {
    docker run -d --name "$1" --network=host --read-only --cap-drop=ALL --security-opt no-new-privileges \
        -v journal:/var/lib/tiercel -e LISTENADDRESS=127.0.0.1 -e LISTENPORT="$port" "${@:2}" tiercel:test >/dev/null
    until_ok 30 curl -fsS "http://127.0.0.1:$port/readyz" || { docker logs "$1" >&2; fail 'the container does not answer'; }
}
post() { # post RULE
    curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/" -d '{"output":"image test","priority":"Warning",
        "rule":"'"$1"'","time":"2026-01-02T03:04:05.123456789Z","output_fields":{"proc.name":"안녕"}}'
}
logged() { docker logs "$1" 2>/dev/null | grep -qF "$2"; }

start first
answer=$(post 'Image test one')
[ "$answer" = 200 ] || fail "the alert was answered $answer"
until_ok 10 logged first 'Image test one' || fail 'the alert did not come out'
docker stop --time 30 first >/dev/null
[ "$(docker inspect -f '{{.State.ExitCode}}' first)" = 0 ] || fail 'it did not end with status 0 on SIGTERM'

# What an output did not take is in the volume: after a kill and a start without that output it is a dead letter.
start second -e WEBHOOK_ADDRESS=http://127.0.0.1:9/
answer=$(post 'Image test two')
[ "$answer" = 200 ] || fail "the second alert was answered $answer"
docker kill --signal KILL second >/dev/null
docker wait second >/dev/null
start third
dead() { docker exec third /tiercel deadletters list -o json | grep -qF 'Image test two'; }
until_ok 30 dead || fail 'the alert in the volume is lost after a kill'
docker rm -f third >/dev/null

echo 'image: ok'
