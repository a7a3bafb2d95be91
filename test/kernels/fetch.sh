#!/usr/bin/env bash
# fetch.sh FOLDER: brings Debian's cloud kernels 5.10 (bullseye), 6.1 and 6.12 (bookworm) into FOLDER as vmlinuz-VERSION.
# Nothing is installed but qemu, and that only where it is missing. Needs Debian's apt and the network.
set -euo pipefail
to=$(mkdir -p "$1" && cd "$1" && pwd)

if ! command -v qemu-system-x86_64 >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo 'qemu-system-x86_64 is missing: install qemu-system-x86' >&2
        exit 1
    fi
    apt-get update >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends qemu-system-x86 >/dev/null
fi

# A package list of our own for each release, beside the machine's.
apt=$to/apt
for release in bullseye bookworm; do
    mkdir -p "$apt/$release/lists/partial" "$apt/$release/archives/partial"
    cat >"$apt/$release/sources.list" <<LIST
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $release main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security $release-security main
LIST
done

in_release() { # in_release RELEASE COMMAND…: apt with that release's list
    local dir=$apt/$1
    shift
    "$1" -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$dir/lists" \
        -o Dir::Cache="$dir" -o Dir::Cache::archives="$dir/archives" -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root "${@:2}"
}

kernel() { # kernel RELEASE VERSION
    local release=$1 version=$2 package folder
    if [ -s "$to/vmlinuz-$version" ]; then
        return
    fi
    [ -e "$apt/$release/updated" ] || { in_release "$release" apt-get update >/dev/null && touch "$apt/$release/updated"; }
    folder=$to/$version
    # The newest that can be had: an archive's list may be ahead of what it still holds.
    for package in $(in_release "$release" apt-cache search --names-only "^linux-image-${version//./\\.}\\.[.0-9+a-z-]*-cloud-amd64-unsigned\$" | cut -d' ' -f1 | sort -rV) ''; do
        if [ -z "$package" ]; then
            echo "$release has no cloud kernel $version" >&2
            return 1
        fi
        rm -rf "$folder" && mkdir -p "$folder"
        if (cd "$folder" && in_release "$release" apt-get download "$package" >/dev/null 2>&1 && dpkg-deb -x ./*.deb .); then
            break
        fi
    done
    cp "$folder"/boot/vmlinuz-* "$to/vmlinuz-$version"
    rm -rf "$folder"
    echo "$version: $package"
}

kernel bullseye 5.10
kernel bookworm 6.1
kernel bookworm 6.12
