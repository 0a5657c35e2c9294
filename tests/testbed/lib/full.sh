# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# contrib/testbed full: what is too long for contrib/check. Each check has a log of its own and one line, in
# cmocka's form; a table of all ends the run.

full_parts=(checkpatch steps plain unpatched debug x86 unit act e2e compare)
full_dir= # logs, steps, summary
full_failed=0

check() { # NAME COMMAND...: its output goes to NAME.log
    local name=$1 log=$full_dir/$1.log started=$SECONDS status result
    shift
    echo "[ RUN      ] $name"
    set +e
    (set -e; "$@") > "$log" 2>&1
    status=$?
    set -e
    if [ $status = 0 ]; then
        result=OK
        echo "[       OK ] $name"
    else
        result=FAILED full_failed=$((full_failed + 1))
        tail -n 20 "$log"
        echo "[  FAILED  ] $name"
    fi
    printf '%-60s %-8s %5d s\n' "$name" $result $((SECONDS - started)) >> "$full_dir/summary"
}

# A word for a case's name.
step_name() { # PATCH
    basename "$1" .patch | tr -c 'A-Za-z0-9\n' _ | cut -c1-40
}

full_checkpatch() {
    local pristine patch
    pristine=$(pristine_kernel)
    while read -r patch; do
        check "checkpatch_$(step_name "$patch")" check_patch "$pristine" "$patch"
    done < <(series)
    check checkpatch_unit_driver check_driver "$pristine"
}

# No error and no warning. The checks of --strict are shown: a TRACE_EVENT cannot do without. New files are all in
# directories that MAINTAINERS names, which checkpatch does not look up.
check_patch() { # SOURCE PATCH
    local said
    cd "$1"
    said=$(perl scripts/checkpatch.pl --strict --no-signoff --show-types --ignore FILE_PATH_CHANGES "$2" || true)
    echo "$said"
    grep -q '^total: 0 errors, 0 warnings, ' <<< "$said"
}

# The driver of the emulated SPE unit, which is kernel code too.
check_driver() { # SOURCE
    local file said
    cd "$1"
    for file in "$here"/unit/driver/*; do
        said=$(perl scripts/checkpatch.pl --strict --show-types --file "$file" || true)
        echo "$said"
        grep -q '^total: 0 errors, 0 warnings, ' <<< "$said"
    done
}

# Warnings without their line numbers, which move.
warnings_of() { # LOG
    grep -E 'warning:|error:' "$1" | sed -E 's/:[0-9]+(:[0-9]+)?:/:/g' | sort -u || true
}

# Builds the tree with the patches given, everything with W=1. What a step compiles again (the files that it
# touches, and all that include them) must bring no warning that was not there before.
build_step() { # ARCH TREE OUT KNOWN-WARNINGS PATCH...
    local arch=$1 work=$2 out=$3 known=$4 fragments fresh status=0
    shift 4
    mkdir -p "$out"
    arch_words "$arch"
    sync_tree "$work" "$@"
    mapfile -t fragments < <(config_fragments "$arch" step)
    configure_kernel "$work" "$arch" "${fragments[@]}"
    # The first build has to show every warning that there is; the compiler cache keeps them with the objects.
    [ $# -gt 0 ] || kernel_make "$work" "$arch" clean
    kernel_make "$work" "$arch" W=1 "$(basename "$image_path")" > "$out/make.log" 2>&1 || status=$?
    [ $status = 0 ] || { tail -n 40 "$out/make.log"; return $status; }
    cp "$work/$image_path" "$out/Image"
    warnings_of "$out/make.log" > "$out/warnings"
    if [ $# -gt 0 ]; then
        fresh=$(comm -13 "$known" "$out/warnings")
        [ -z "$fresh" ] || { printf 'new warnings:\n%s\n' "$fresh"; return 1; }
    fi
    sort -u -o "$known" "$known" "$out/warnings"
}

# Every step of the series builds on both architectures; on arm64 the first, the last and each that
# touches mm/ boots.
full_steps() {
    local patches arch number name out
    mapfile -t patches < <(series)
    for arch in arm64 x86_64; do
        lock "tree-$arch-steps"
        : > "$full_dir/known-$arch"
        for ((number = 0; number <= ${#patches[@]}; number++)); do
            name=00_unpatched
            [ $number = 0 ] || name=$(step_name "${patches[number - 1]}")
            out=$full_dir/step-$arch-$number
            check "build_${arch}_$name" build_step "$arch" "$cache/tree/$arch-steps" "$out" \
                "$full_dir/known-$arch" "${patches[@]:0:number}"
            if [ "$arch" = arm64 ] && [ $number != 0 ] && step_boots $number "${patches[@]}"; then
                check "boot_${arch}_$name" run_suite "$arch" "$out" 600 smoke
            fi
            rm -f "$out/Image"
        done
    done
}

step_boots() { # NUMBER PATCH...
    local number=$1
    shift
    [ "$number" = 1 ] || [ "$number" = $# ] || patched_files "${!number}" | grep -q '^mm/'
}

full_plain() { check kernel_plain run_suite arm64 plain 7200 kernel --long; }
full_debug() { check kernel_debug run_suite arm64 debug 14400 kernel; }

# The third-party tests on both kernels: the patched one may not be worse.
full_unpatched() {
    check third_party_unpatched run_third_party unpatched
    check third_party_plain run_third_party plain
    check third_party_no_worse no_worse "$full_dir/third_party_unpatched.log" "$full_dir/third_party_plain.log"
}

# A case that fails is held against the other kernel; a report, a hang or a crash is not excused.
run_third_party() { # VARIANT
    local status=0
    # As a process: below "||" this shell would go on after errors.
    "$tree/contrib/testbed" run --kernel "$1" --timeout 3600 kernel third-party || status=$?
    [ $status -lt $status_no_end ]
}

cases() { # RESULT LOG
    sed -nE "s/^\[ *$1 *\] (\w+)\r?$/\1/p" "$2" | sort -u
}

no_worse() { # LOG-BEFORE LOG-AFTER
    local lost
    [ -n "$(cases OK "$1")" ] || { echo "no case passed before"; return 1; }
    lost=$(comm -23 <(cases OK "$1") <(cases OK "$2"))
    echo "before: $(cases OK "$1" | wc -l) passed, $(cases FAILED "$1" | wc -l) failed," \
        "$(cases SKIPPED "$1" | wc -l) skipped"
    echo "after: $(cases OK "$2" | wc -l) passed, $(cases FAILED "$2" | wc -l) failed," \
        "$(cases SKIPPED "$2" | wc -l) skipped"
    [ -z "$lost" ] || { printf 'passed before, not after:\n%s\n' "$lost"; return 1; }
}

full_x86() {
    check smoke_x86_64 run_suite x86_64 plain 1200 smoke
    check kernel_x86_64 run_suite x86_64 plain 3600 kernel test-split test-collapse
}

# Processor time of a whole run, in seconds.
cost_of_run() { # ARGUMENT...
    local TIMEFORMAT='%U %S' said
    said=$({ time "$tree/contrib/testbed" run "$@" > "$full_dir/cost.log" 2>&1; } 2>&1) || return
    awk '{ print $1 + $2 }' <<< "$said"
}

# The SPE unit's, by a suite that boots, without and with it in turn.
unit_cost() {
    local turn without=() with=()
    for turn in 1 2 3; do
        without+=("$(cost_of_run smoke)")
        with+=("$(cost_of_run --spe smoke)")
    done
    awk -v without="$(printf '%s\n' "${without[@]}" | sort -n | sed -n 2p)" \
        -v with="$(printf '%s\n' "${with[@]}" | sort -n | sed -n 2p)" 'BEGIN {
        printf "processor time without the SPE unit %.1f s, with it %.1f s: %.2f times (medians of 3)\n",
            without, with, with / without }'
}

full_unit() {
    check spe_unit_cost unit_cost
    cat "$full_dir/spe_unit_cost.log"
}

# foliod's actions: all that is long on the patched kernel, and what kernels without the patches leave of them.
full_act() {
    check act_plain "$tree/contrib/testbed" run --timeout 10800 act --long
    check act_driver "$tree/contrib/testbed" run --kernel driver act
    check act_debian "$tree/contrib/testbed" run --kernel debian act
}

# The whole path, held against the truth.
full_e2e() { check e2e "$tree/contrib/testbed" run --timeout 10800 e2e; }

# Seven ways to treat a guest's memory, side by side.
full_compare() { check compare "$tree/contrib/testbed" run compare; }

run_full() { # PART...
    local part
    for part in "$@"; do
        [[ " ${full_parts[*]} " = *" $part "* ]] || fail "no such part: $part (there are: ${full_parts[*]})"
    done
    [ $# -gt 0 ] || set -- "${full_parts[@]}"
    full_dir=$cache/full/$(date +%Y%m%d-%H%M%S)
    mkdir -p "$full_dir"
    : > "$full_dir/summary"
    say "this takes up to some hours; logs: $full_dir"
    for part in "$@"; do "full_$part"; done
    [ -s "$full_dir/summary" ] || fail "nothing was checked: there are no patches in $series_dir"
    echo
    cat "$full_dir/summary"
    say "$full_failed failed, of $(wc -l < "$full_dir/summary"), in $((SECONDS / 60)) min; summary: $full_dir/summary"
    [ $full_failed = 0 ]
}
