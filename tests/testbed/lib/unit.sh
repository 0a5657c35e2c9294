# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The emulated SPE unit (tests/testbed/unit): QEMU's plugin, and what QEMU is started with to have it.

compile_unit() { # DIRECTORY
    gcc -std=gnu11 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -fPIC -shared -Wl,-Bsymbolic -I "$tree/tests" \
        "$here"/unit/*.c -o "$1/unit.so" -lpthread
}

build_unit() { logged unit compile_unit "$@"; }

# Prints the directory of the plugin, unit.so.
unit_plugin() {
    local sources
    need_tools gcc
    mapfile -t sources < <(find "$here/unit" -maxdepth 1 -name '*.[ch]' | LC_ALL=C sort)
    artefact unit "$(key_of "$(gcc --version | head -n 1)" "$here/lib/unit.sh" \
        "$tree/tests/common/qemu-plugin-api.h" "${sources[@]}")" "compiling the SPE unit (seconds)" build_unit
}

# The memory backends are in the order that the plugin needs (unit/plugin.c). The shared file goes with the
# run, the truth stays.
unit_options() { # ARCH: sets unit, an array
    local plugin ram=$((memory << 20)) gap=$((1 << 30)) shared=$((64 << 20)) steady=
    # Each processor has 32 bytes for each page, and a ring; a BAR's size is a power of two.
    while [ $shared -lt $((2 * (ram / 128 + (1 << 20)) + (1 << 20))) ]; do shared=$((shared * 2)); done
    [ "$1" = arm64 ] || fail "--spe is for arm64"
    plugin=$(unit_plugin)
    truncate --size=$shared "$run_dir/unit"
    # The clock inside goes with the instructions, not with this machine's.
    [ "$exact" = no ] || steady=,steady=on
    unit=(-object "memory-backend-ram,id=ram,size=$ram" -machine memory-backend=ram
        -object "memory-backend-ram,id=gap,size=$gap"
        -object "memory-backend-file,id=unit,mem-path=$run_dir/unit,size=$shared,share=on"
        -device ivshmem-plain,memdev=unit
        -plugin "$plugin/unit.so,shared=$run_dir/unit,ram=$ram,truth=$run_dir/share/out/truth$steady")
}
