# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# foliod itself, built for the emulated host against the image, for suites that run it there.

# Everything that it is made from.
agent_sources() {
    find "$tree"/{agent,data,polkit} "$tree"/meson.build "$tree"/meson_options.txt \
        "$tree/contrib/build-libperf" -type f ! -name '*~' | LC_ALL=C sort
}

cross_file() { # ROOT ARCH
    arch_words "$2"
    cat <<CROSS
[binaries]
c = ['ccache', '$triplet-gcc', '--sysroot=$1']
ar = '$triplet-gcc-ar'
strip = '$triplet-strip'
pkgconfig = 'pkg-config'

[properties]
sys_root = '$1'
pkg_config_libdir = ['$1/usr/lib/$triplet/pkgconfig', '$1/usr/share/pkgconfig']

[host_machine]
system = 'linux'
cpu_family = '${triplet%%-*}'
cpu = '${triplet%%-*}'
endian = 'little'
CROSS
}

compile_agent() { # DIRECTORY ROOT ARCH
    local work=$1/build
    cross_file "$2" "$3" > "$1/cross"
    # What contrib/build-libperf builds is kept, as the compiler's cache is.
    XDG_CACHE_HOME=$cache/agent meson setup "$work" "$tree" --cross-file "$1/cross" --prefix=/usr \
        --sysconfdir=/etc -Dtests=disabled -Dlibperf=bundled
    ninja -C "$work" -j "$jobs"
    DESTDIR=$1/root meson install -C "$work" --no-rebuild --strip --quiet
    rm -rf "$work"
}

build_agent() { # DIRECTORY ROOT ARCH
    logged "agent-$3" compile_agent "$@"
}

# Prints the directory of the agent: root, what is to be laid over the root of the emulated host.
agent() { # ARCH
    local arch=$1 image sources
    [ "$arch" = arm64 ] || fail "foliod runs on the emulated host of arm64 only"
    image=$(image "$arch")
    arch_words "$arch"
    need_tools "$triplet-gcc" ccache meson ninja pkg-config glib-compile-resources make xz
    mapfile -t sources < <(agent_sources)
    artefact "agent-$arch" "$(key_of "$image" "$here/lib/agent.sh" "$("$triplet-gcc" --version | head -n 1)" \
        "$(kernel_version)" "${sources[@]}")" \
        "building foliod for $arch (a minute the first time, then seconds)" \
        build_agent "$image/root" "$arch"
}
