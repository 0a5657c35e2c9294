# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The programs of the suites, and those of nested guests, built against the image.

target_compiler() { # ROOT ARCH ARGUMENT...
    local root=$1
    arch_words "$2"
    shift 2
    "$triplet-gcc" --sysroot="$root" -std=gnu11 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE \
        -I "$here/common" -I "$here" "$@"
}

# An archive, so that each program takes what it needs of tests/testbed/common.
compile_common() { # ROOT ARCH ARCHIVE
    local source object objects=()
    for source in "$here"/common/*.c; do
        [ -e "$source" ] || continue
        object=$(dirname "$3")/$(basename "$source" .c).o
        target_compiler "$1" "$2" -c "$source" -o "$object"
        objects+=("$object")
    done
    arch_words "$2"
    "$triplet-ar" rcs "$3" "${objects[@]}"
    rm -f "${objects[@]}"
}

# tests/testbed/guest/NAME.c becomes /NAME of an initramfs; so does SUITE/guest/NAME.c, which may use the libraries
# of guest_packages (lib/image.sh).
compile_guest() { # ROOT ARCH ARCHIVE INITRD SUITE
    local source dir=$4.d
    mkdir -p "$dir"
    for source in "$here/$5"/guest/*.c; do
        [ ! -e "$source" ] ||
            target_compiler "$1" "$2" -static "$source" -lsqlite3 -lm -lpthread -o "$dir/$(basename "$source" .c)"
    done
    for source in "$here"/guest/*.c; do
        [ ! -e "$source" ] ||
            target_compiler "$1" "$2" -static "$source" "$3" -lpthread -o "$dir/$(basename "$source" .c)"
    done
    (cd "$dir" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 | gzip -n) > "$4"
    rm -rf "$dir"
}

compile_suite() { # ROOT ARCH ARCHIVE SUITE DIRECTORY
    local source name
    mkdir -p "$5"
    for source in "$here/$4"/*.c; do
        name=$(basename "$source" .c)
        if [[ $name == preload-* ]]; then
            target_compiler "$1" "$2" -shared -fPIC "$source" -ldl -o "$5/$name.so"
        elif [ -e "$source" ]; then
            target_compiler "$1" "$2" "$source" "$3" -lcmocka -lpthread -o "$5/$name"
        fi
    done
}

compile_programs() { # DIRECTORY ROOT ARCH SUITE
    compile_common "$2" "$3" "$1/common.a"
    compile_guest "$2" "$3" "$1/common.a" "$1/guest.cpio.gz" "$4"
    compile_suite "$2" "$3" "$1/common.a" "$4" "$1/bin"
}

build_programs() { # DIRECTORY ROOT ARCH SUITE
    logged "programs-$3-$4" compile_programs "$@"
}

# Prints the directory of the programs of a suite: bin, guest.cpio.gz.
programs() { # ARCH SUITE
    local arch=$1 suite=$2 image sources
    image=$(image "$arch")
    arch_words "$arch"
    need_tools "$triplet-gcc" cpio
    mapfile -t sources < <(find "$here/common" "$here/guest" "$here/$suite" "$here/$suite/guest" \
        "$here"/unit/{unit,meter}.h \
        "$here/unit/truth-file.h" -maxdepth 1 -name '*.[ch]' 2> /dev/null | LC_ALL=C sort)
    artefact "programs-$arch-$suite" "$(key_of "$image" "$here/lib/programs.sh" "${sources[@]}")" \
        "compiling the programs of $suite for $arch (seconds)" \
        build_programs "$image/root" "$arch" "$suite"
}
