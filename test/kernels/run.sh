#!/usr/bin/env bash
# run.sh [VERSION…]: runs the probe's tests on other kernels, each in a small machine that qemu emulates without help of
# the processor. What it prints is the table of docs/kernels.md. TESTS=regexp chooses.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tiercel/kernels
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(5.10 6.1 6.12)
command -v busybox >/dev/null || { echo 'busybox is missing: install busybox-static' >&2; exit 1; }

test/kernels/fetch.sh "$cache"

# The machine's files: init, the tests, and what they start.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,usr/bin,etc,dev,proc,sys,tmp,root}
CGO_ENABLED=0 go build -trimpath -o "$root/init" ./test/kernels/init
CGO_ENABLED=0 go test -c -trimpath -o "$root/probe.test" ./probe
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in sh true ls sleep cat echo; do ln -s busybox "$root/bin/$applet"; done
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$cache/initramfs.gz"

failed=0
for version in "${versions[@]}"; do
    log=$cache/log-$version
    # One thread for both processors: with two, 5.10 can hang in a breakpoint that the emulation still sees after the kernel
    # has taken it back, each time a tracepoint is attached or detached.
    timeout 450 qemu-system-x86_64 -accel tcg,thread=single -cpu max -smp 2 -m 1536 -nographic -no-reboot \
        -kernel "$cache/vmlinuz-$version" -initrd "$cache/initramfs.gz" \
        -append "console=ttyS0 quiet panic=-1 lsm=lockdown,capability,landlock,bpf -- -test.v -test.timeout=400s -test.run=${TESTS:-.}" \
        </dev/null >"$log" 2>&1 || true
    kernel=$(grep -ao 'init: kernel [^[:space:]]*' "$log" | cut -d' ' -f3 || true)
    passed=$(grep -ac '^ *--- PASS' "$log" || true)
    skipped=$(grep -ac '^ *--- SKIP' "$log" || true)
    bad=$(grep -ac '^ *--- FAIL' "$log" || true)
    ended=$(grep -ao 'the tests ended: .*' "$log" | tr -d '\r' || echo 'the machine did not come up')
    printf '| %s | %s | %s passed, %s skipped, %s failed | %s |\n' "$version" "${kernel:-?}" "$passed" "$skipped" "$bad" "$ended"
    [ "$ended" = 'the tests ended: <nil>' ] || { failed=1; grep -a -A6 '^ *--- FAIL' "$log" | head -60 >&2; }
done
exit $failed
