# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What every part of contrib/testbed stands on: messages, the cache, and artefacts that are keyed by what
# they are made from. Needs $tree, the source tree, and $here, its tests/testbed.

cache=${FOLIOD_TESTBED_CACHE:-${XDG_CACHE_HOME:-${HOME:-~}/.cache}/foliod/testbed}
jobs=$(nproc)

# Standard output belongs to the tests that run inside.
say() { echo "testbed: $*" >&2; }
fail() { say "$@"; exit 1; }

need_tools() { # TOOL...
    local tool missing=()
    for tool in "$@"; do
        command -v "$tool" > /dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] || fail "missing: ${missing[*]}; contrib/setup testbed installs them (on Debian)"
}

# The mark that backup programs know a cache by, and "clean" this one.
cache_mark='Signature: 8a477f597d28d172789f06886806bc55'

open_cache() {
    mkdir -p "$cache"
    cache=$(cd "$cache" && pwd -P)
    [ -f "$cache/CACHEDIR.TAG" ] || [ -n "$(ls -A "$cache")" ] || echo "$cache_mark" > "$cache/CACHEDIR.TAG"
}

clean_cache() {
    if [ -n "$(ls -A "$cache")" ] && [ "$(cat "$cache/CACHEDIR.TAG" 2> /dev/null)" != "$cache_mark" ]; then
        fail "$cache was not made by this program"
    fi
    rm -rf "$cache"
}

# The checksum of files and words, in the order given.
key_of() { # FILE|WORD...
    local part
    for part in "$@"; do
        if [ -f "$part" ]; then cat "$part"; else echo "$part"; fi
    done | sha256sum | cut -c1-16
}

# One builder at a time for each NAME; several checkouts share the cache.
lock() { # NAME: held until the (sub)shell that called ends
    local file=$cache/$1.lock
    mkdir -p "$cache"
    exec 9> "$file"
    flock -n 9 && return
    say "waiting for another testbed that builds $1"
    flock 9
}

# Runs a command with its output in a log; shows the end of it when the command fails. (No "if": below one,
# bash would go on after errors.)
logged() { # NAME COMMAND...
    local log=$cache/log/$1.log
    shift
    mkdir -p "$cache/log"
    (
        exec 8>&2
        trap '[ $? = 0 ] || { tail -n 40 "$log"; say "failed; above is the end of $log"; } >&8 2>&8' EXIT
        "$@" > "$log" 2>&1
    )
}

# Prints the directory of an artefact. When it is not in the cache, FUNCTION fills it.
artefact() { # NAME KEY DESCRIPTION FUNCTION [ARGUMENT...]
    local name=$1 description=$3 function=$4 dir=$cache/$1-$2 started
    shift 4
    if [ ! -d "$dir" ]; then
        (
            lock "$name"
            [ ! -d "$dir" ] || exit 0
            say "$description"
            started=$SECONDS
            rm -rf "$cache/$name.new"
            mkdir -p "$cache/$name.new"
            "$function" "$cache/$name.new" "$@"
            mv "$cache/$name.new" "$dir"
            say "$name: done in $((SECONDS - started)) s"
        ) >&2
    fi
    touch "$dir"
    echo "$dir"
}

# Artefacts that nothing has used for two weeks go; the trees that builds work in stay.
drop_old_artefacts() {
    find "$cache" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended \
        -regex '.*-[0-9a-f]{16}' -mtime +14 -exec rm -rf {} +
}

# The words that the kernel, Debian and the compilers have for an architecture.
arch_words() { # arm64|x86_64: sets karch, deb_arch, triplet, image_path
    case $1 in
    arm64) karch=arm64 deb_arch=arm64 triplet=aarch64-linux-gnu image_path=arch/arm64/boot/Image ;;
    x86_64) karch=x86_64 deb_arch=amd64 triplet=x86_64-linux-gnu image_path=arch/x86/boot/bzImage ;;
    *) fail "no architecture of the testbed: $1" ;;
    esac
}
