# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Kernels of the testbed: Debian's source, the series on it, configuration, build. A work tree is kept for
# each kind of kernel, so that only what a changed patch touches is compiled again.

kernel_package=linux-source-6.12
kernel_tarball=/usr/src/$kernel_package.tar.xz
series_dir=$tree/kernel/patches/linux-6.12

# Objects depend on neither the directory, the time nor the builder: checkouts share them.
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache} CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=time_macros
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-4G}
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026' KBUILD_BUILD_USER=foliod KBUILD_BUILD_HOST=foliod

# The patches in order, one a line; the cover letter is none.
series() {
    [ -d "$series_dir" ] || return 0
    find "$series_dir" -name '[0-9]*.patch' ! -name '0000-*' | sort
}

kernel_version() {
    [ -r $kernel_tarball ] || fail "$kernel_tarball is missing; contrib/setup testbed installs it (on Debian)"
    dpkg-query --show --showformat='${Version}' $kernel_package 2> /dev/null ||
        sha256sum < $kernel_tarball | cut -c1-16
}

unpack_kernel() { # DIRECTORY
    tar --extract --xz --file=$kernel_tarball --directory="$1" --no-same-owner --strip-components=1
}

# The unpacked source, as Debian has it; nothing ever writes to it.
pristine_kernel() {
    local version
    version=$(kernel_version)
    artefact linux "$(key_of "$version")" "unpacking $kernel_package $version (30 s, 1.6 GB)" unpack_kernel
}

# Every file that the patches name, before or after them.
patched_files() { # PATCH...
    [ $# -gt 0 ] || return 0
    sed -nE -e 's#^(---|\+\+\+) [ab]/([^\t]*).*#\2#p' -e 's#^rename (from|to) ##p' "$@" | sort -u
}

# Of the testbed's kernels these have the driver of the emulated SPE unit: not the unpatched one, nor the steps.
# (The kind "driver" has nothing else.)
has_unit() { # ARCH VARIANT
    case $1-$2 in
    arm64-plain | arm64-debug | arm64-driver) ;;
    *) return 1 ;;
    esac
}

# What the driver is made from, one file a line.
unit_files() { # ARCH VARIANT
    has_unit "$@" || return 0
    echo "$here/unit/unit.h"
    find "$here/unit/driver" -type f ! -name '.*' | LC_ALL=C sort
}

# The end of FILE of the kernel with one more line, as a patch.
line_patch() { # PRISTINE FILE LINE
    { cat "$1/$2"; echo "$3"; } | diff -u --label "a/$2" --label "b/$2" "$1/$2" - || [ $? = 1 ]
}

# The driver as a patch like any other, though it is in no series.
unit_patch() { # ARCH VARIANT
    local pristine file dir=drivers/perf/testbed
    pristine=$(pristine_kernel)
    line_patch "$pristine" drivers/perf/Kconfig "source \"$dir/Kconfig\""
    line_patch "$pristine" drivers/perf/Makefile 'obj-$(CONFIG_TESTBED_SPE) += testbed/'
    unit_files "$@" | while read -r file; do
        diff -u --label /dev/null --label "b/$dir/$(basename "$file")" /dev/null "$file" || [ $? = 1 ]
    done
}

# Fills DIRECTORY with the patched files alone, as they are after the patches.
overlay_of() { # PRISTINE DIRECTORY PATCH...
    local pristine=$1 overlay=$2 file patch
    shift 2
    patched_files "$@" | while read -r file; do
        [ ! -e "$pristine/$file" ] || (cd "$pristine" && cp --parents --preserve=mode "$file" "$overlay")
    done
    for patch in "$@"; do
        patch --quiet --strip=1 --fuzz=0 --force --remove-empty-files --no-backup-if-mismatch \
            --directory="$overlay" < "$patch" ||
            fail "$patch does not apply to $kernel_package on what goes before it"
    done
}

# Makes the work tree TREE equal to the source with the patches; an unchanged file keeps its time. The
# files of a new tree are links to the source, and are replaced here, never written to.
sync_tree() { # TREE PATCH...
    local work=$1 pristine overlay file from list
    shift
    pristine=$(pristine_kernel)
    if [ "$(cat "$work/.testbed-source" 2> /dev/null)" != "$pristine" ]; then
        rm -rf "$work"
        mkdir -p "$(dirname "$work")"
        cp -al "$pristine" "$work"
        echo "$pristine" > "$work/.testbed-source"
    fi
    overlay=$work.patched
    rm -rf "$overlay"
    mkdir "$overlay"
    list=$(patched_files "$@")
    overlay_of "$pristine" "$overlay" "$@"
    # Should this be interrupted, the next time knows what may differ.
    echo "$list" >> "$work/.testbed-patched"
    sort -u "$work/.testbed-patched" | while read -r file; do
        [ -n "$file" ] || continue
        from=$overlay/$file
        grep -qxF -- "$file" <<< "$list" || from=$pristine/$file
        if [ ! -e "$from" ]; then
            rm -f "$work/$file"
        elif ! cmp -s "$from" "$work/$file"; then
            mkdir -p "$(dirname "$work/$file")"
            cp --remove-destination --preserve=mode "$from" "$work/$file"
        fi
    done
    echo "$list" > "$work/.testbed-patched"
    rm -rf "$overlay"
}

kernel_make() { # TREE ARCH ARGUMENT...
    local work=$1
    arch_words "$2"
    shift 2
    make -C "$work" -s -j"$jobs" ARCH="$karch" CROSS_COMPILE="$triplet-" CC="ccache $triplet-gcc" \
        HOSTCC="ccache gcc" "$@"
}

# The fragments of a kind of kernel. Of an option that two of them set, the last counts.
config_fragments() { # ARCH VARIANT
    echo "$here/config/common.config"
    echo "$here/config/$1.config"
    ! has_unit "$1" "$2" || echo "$here/config/unit.config"
    [ "$2" != debug ] || echo "$here/config/debug.config"
}

merged_config() { # FRAGMENT...
    awk -F= '/^CONFIG_/ { if (!($1 in line)) order[++n] = $1; line[$1] = $0 }
             END { for (i = 1; i <= n; i++) print line[order[i]] }' "$@"
}

# Everything off but what the fragments ask for, and a failure when one of their wishes is not met.
configure_kernel() { # TREE ARCH FRAGMENT...
    local work=$1 arch=$2 wish unmet=()
    shift 2
    merged_config "$@" > "$work/.testbed-config"
    kernel_make "$work" "$arch" KCONFIG_ALLCONFIG=.testbed-config allnoconfig > /dev/null
    while read -r wish; do
        case $wish in
        *=n) ! grep -q "^${wish%n}" "$work/.config" || unmet+=("$wish") ;;
        *) grep -qxF "$wish" "$work/.config" || unmet+=("$wish") ;;
        esac
    done < "$work/.testbed-config"
    [ ${#unmet[@]} -eq 0 ] || fail "options that $arch does not take as asked: ${unmet[*]}"
}

# Of the kernel's many tests of mm, those of huge pages, and what the patches change or bring.
mm_selftests() { # TREE
    printf '%s\n' khugepaged split_huge_page_test
    sed -nE 's#^tools/testing/selftests/mm/(\w+)\.c$#\1#p' "$1/.testbed-patched" |
        grep -vxE 'vm_util|thp_settings' || true
}

# Static, so that they need nothing of the image.
build_selftests() { # TREE ARCH DIRECTORY
    local work=$1 out=$3 source=$1/tools/testing/selftests name
    local flags=(-O2 -D_GNU_SOURCE= -static -I "$work" -isystem "$work/usr/include"
        -isystem "$work/tools/include/uapi")
    arch_words "$2"
    kernel_make "$work" "$2" headers
    mkdir -p "$out/mm" "$out/damon"
    for name in $(mm_selftests "$work" | sort -u); do
        # khugepaged.c of 6.12 uses kselftest.h without including it.
        "$triplet-gcc" "${flags[@]}" -include "$source/kselftest.h" "$source/mm/$name.c" "$source/mm/vm_util.c" \
            "$source/mm/thp_settings.c" -o "$out/mm/$name" -lpthread
    done
    cp "$source"/damon/*.sh "$source"/damon/*.py "$out/damon"
    for name in "$source"/damon/*.c; do
        "$triplet-gcc" "${flags[@]}" "$name" -o "$out/damon/$(basename "$name" .c)"
    done
}

compile_kernel() { # DIRECTORY ARCH VARIANT TREE FRAGMENT...
    local out=$1 arch=$2 variant=$3 work=$4
    shift 4
    arch_words "$arch"
    configure_kernel "$work" "$arch" "$@"
    logged "kernel-$arch-$variant" kernel_make "$work" "$arch" "$(basename "$image_path")"
    logged "selftests-$arch-$variant" build_selftests "$work" "$arch" "$out/selftests"
    cp "$work/$image_path" "$out/Image"
    cp "$work/.config" "$out/config"
}

build_kernel() { # DIRECTORY ARCH VARIANT PATCH...
    local out=$1 arch=$2 variant=$3 work=$cache/tree/$2-$3 fragments
    shift 3
    if has_unit "$arch" "$variant"; then
        mkdir -p "$(dirname "$work")"
        unit_patch "$arch" "$variant" > "$work.unit.patch"
        set -- "$@" "$work.unit.patch"
    fi
    sync_tree "$work" "$@"
    mapfile -t fragments < <(config_fragments "$arch" "$variant")
    compile_kernel "$out" "$arch" "$variant" "$work" "${fragments[@]}"
}

# Prints the directory of a kernel: Image, config, selftests; initrd, where it needs one.
kernel() { # ARCH plain|unpatched|driver|debug|debian|DIRECTORY
    local arch=$1 variant=$2 patches=() fragments unit key
    if [ -d "$variant" ]; then
        [ -f "$variant/Image" ] || fail "no Image in $variant"
        echo "$variant"
        return
    fi
    if [ "$variant" = debian ]; then
        debian_kernel "$arch"
        return
    fi
    arch_words "$arch"
    need_tools "$triplet-gcc" ccache make flex bison bc patch flock
    case $variant in unpatched | driver) ;; *) mapfile -t patches < <(series) ;; esac
    mapfile -t fragments < <(config_fragments "$arch" "$variant")
    mapfile -t unit < <(unit_files "$arch" "$variant")
    key=$(key_of "$(kernel_version)" "$("$triplet-gcc" --version | head -n 1)" "$here/lib/kernel.sh" \
        "${fragments[@]}" "${patches[@]}" "${unit[@]}")
    artefact "kernel-$arch-$variant" "$key" \
        "building the $variant kernel for $arch with ${#patches[@]} patches (10 to 20 minutes the first time, then seconds)" \
        build_kernel "$arch" "$variant" "${patches[@]}"
}
