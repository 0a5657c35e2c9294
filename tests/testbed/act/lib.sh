# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the scripts of this suite share: guests whose memory checker never rests, what foliod says it did, and what
# the oracle says of it (blocks.c).

set -uo pipefail
# shellcheck source=tests/testbed/inside/cases.sh
. ../inside/cases.sh
# shellcheck source=tests/testbed/inside/host.sh
. ../inside/host.sh

# shellcheck disable=SC2034
mib=1048576
thp=/sys/kernel/mm/transparent_hugepage
kdamonds=/sys/kernel/mm/damon/admin/kdamonds
# Ready to act, and nothing but what is asked for.
# shellcheck disable=SC2034
acting=$'[Guests]\nMode=adaptive\n[Sampling]\nSource=none'

status_left=6 # of folioctl: the job is done, and some blocks were left

is_long() { [ "${ACT_LONG:-no}" = yes ]; }

# For a case: that what is to fail does. ("!" alone ends no case.)
fails() { # COMMAND...
    local status=0
    "$@" || status=$?
    [ $status != 0 ] || { echo "did not fail: $*"; return 1; }
}

# All of the host that foliod may set: THP's settings (not what they count), kdamonds, instances of tracing.
host_state() {
    find $thp -type f -perm -200 ! -path '*/stats/*' | LC_ALL=C sort | while read -r file; do
        echo "$file: $(cat "$file")"
    done
    echo "kdamonds: $(cat $kdamonds/nr_kdamonds)"
    echo "tracing: $(ls /sys/kernel/tracing/instances)"
}

# THP as the process of a guest has it.
process_state() { grep '^THP' "/proc/$(qemu_of "$1")/status" || true; } # GUEST

# Guests. Their RAM is all there from the start, so that each block is one huge folio.

# The checker has most of the memory, and goes through it again and again.
start_checked() { # NAME MIB [EMULATOR]
    # One of that name may have been before.
    virsh -q undefine "$1" > /dev/null 2>&1 || true
    rm -f "$(console_of "$1")"
    guest_backing="<allocation mode='immediate'/>" start_guest "$1" "$2" "PERCENT=${percent:-70}" "${3:-$launcher}"
    wait_for_console "$1" 'memcheck: pass 1 .* errors 0' 300
}

# Where in QEMU its RAM begins, hexadecimal.
ram_address() { # GUEST
    sed -nE "s#^([0-9a-f]+)-.* $guest_ram/.*#\\1#p" "/proc/$(qemu_of "$1")/maps" | head -n 1
}

passes() { sed -nE 's/^memcheck: pass ([0-9]+) .*/\1/p' "$(console_of "$1")" | tail -n 1; } # GUEST
has_passes() { [ "$(passes "$1")" -ge "$2" ]; } # GUEST N

# All of the checker's memory is read as it is now, and right, as it was all the time before.
check_memory() { # GUEST
    local wanted=$(($(passes "$1") + 2)) wrong
    wait_until 300 "pass $wanted of the checker of $1" has_passes "$1" $wanted
    wrong=$(grep -E 'memcheck: (wrong|no memory)|memcheck: pass .* errors [1-9]' "$(console_of "$1")" || true)
    [ -z "$wrong" ] || { head -n 5 <<< "$wrong"; return 1; }
    echo "$1: no errors in $(passes "$1") passes"
}

# The oracle. Its records are files by guest: frames of each page, and blocks, a line each as blocks.c has it.

blocks() { "$TESTBED_BIN/blocks" "$@"; }

# How the guest is now is "before" from here on.
record() { # GUEST
    blocks --record "$(qemu_of "$1")" "/tmp/$1.frames"
    blocks "$(qemu_of "$1")" "/tmp/$1.frames" > "/tmp/$1.before"
}

look() { blocks "$(qemu_of "$1")" "/tmp/$1.frames" > "/tmp/$1.now"; } # GUEST

# Lines of a record of blocks FIRST.. whose words are those given; "*" for any.
count_lines() { # FILE FIRST COUNT ORDER MAPPED PLACE
    awk -v first="$2" -v count="$3" -v order="$4" -v mapped="$5" -v place="$6" '
        $1 >= first && $1 < first + count && (order == "*" || $2 == order) && (mapped == "*" || $3 == mapped) &&
            (place == "*" || $4 == place) { n++ }
        END { print n + 0 }' "$1"
}

# As counted the last time that somebody looked.
expect_blocks() { # GUEST FIRST COUNT ORDER MAPPED PLACE
    local seen
    seen=$(count_lines "/tmp/$1.now" "$2" "$3" "$4" "$5" "$6")
    expect "number of blocks $2+$3 of $1 with \"$4 $5 $6\"" "$seen" "$3" && return
    awk -v first="$2" -v count="$3" '$1 >= first && $1 < first + count' "/tmp/$1.now" | head -n 12
    return 1
}

# Blocks that were huge before and are in no RANGE are where they were, huge, and mapped as they were.
expect_others_untouched() { # GUEST RANGE...
    local guest=$1 touched
    shift
    touched=$(awk -v ranges="$*" '
        BEGIN { n = split(ranges, range, " ") }
        function in_ranges(block, i, part) {
            for (i = 1; i <= n; i++) {
                split(range[i], part, "+")
                if (block >= part[1] + 0 && block < part[1] + part[2]) return 1
            }
            return 0
        }
        FNR == NR { before[$1] = $2; next }
        before[$1] == 9 && !in_ranges($1) { others++; if ($2 != 9 || $3 != "pmd" || $4 != "same") print }
        END { print others + 0 " others" > "/dev/stderr" }' "/tmp/$guest.before" "/tmp/$guest.now")
    [ -z "$touched" ] || { printf 'touched outside %s:\n%s\n' "$*" "$touched"; return 1; }
}

# Jobs

# Does it, and keeps what foliod reports of it. Its exit status is folioctl's.
act() { # COMMAND ARGUMENT...
    local status=0
    folioctl --json "$@" > /tmp/report 2> /tmp/report.error || status=$?
    cat /tmp/report.error
    return $status
}

# The same for a job that may leave blocks.
act_in_part() { # COMMAND ARGUMENT...
    local status=0
    act "$@" || status=$?
    [ $status = 0 ] || [ $status = "$status_left" ]
}

# Blocks by what foliod said, and those that were left by the reason.
reported() { # done|already|partly|left|absent|gone
    sed -n '/^ *"blocks" : {/,/}/p' /tmp/report | member "$1"
}
reported_left() { # busy|no_memory|refused|unsaid
    sed -n '/^ *"left" : {/,/}/p' /tmp/report | member "$1"
}

# What the oracle says became of the blocks of RANGE: one line "done N already N partly N left N absent N gone N".
judged() { # GUEST split|collapse ORDER RANGE...
    local guest=$1 kind=$2 order=$3
    shift 3
    awk -v ranges="$*" -v kind="$kind" -v order="$order" '
        BEGIN { n = split(ranges, range, " ") }
        function in_ranges(block, i, part) {
            for (i = 1; i <= n; i++) {
                split(range[i], part, "+")
                if (block >= part[1] + 0 && block < part[1] + part[2]) return 1
            }
            return 0
        }
        FNR == NR { before[$1] = $2; next }
        !in_ranges($1) { next }
        before[$1] == "absent" { count["absent"]++; next }
        before[$1] == order { count["already"]++; next }
        $2 == order && (kind == "collapse" || $4 == "same") { count["done"]++; next }
        $2 == before[$1] && $4 == "same" { count["left"]++; next }
        $2 == "mixed" && $4 == "same" { count["partly"]++; next }
        { count["gone"]++ }
        END { printf "done %d already %d partly %d left %d absent %d gone %d\n", count["done"], count["already"],
            count["partly"], count["left"], count["absent"], count["gone"] }' "/tmp/$guest.before" "/tmp/$guest.now"
}

# foliod's report is the oracle's.
expect_report() { # GUEST split|collapse ORDER RANGE...
    local word said=
    look "$1"
    for word in "done" already partly left absent gone; do said+="${said:+ }$word $(reported $word)"; done
    expect "foliod's report of $2 to $3 of ${*:4}" "$said" "$(judged "$@")"
}

# A block that the guest or QEMU has in hand at the moment is left; another time it is not.
act_until_done() { # GUEST split|collapse ORDER RANGE... [--force]
    local guest=$1 kind=$2 order=$3 options=()
    shift 3
    [ "$kind" = collapse ] || options=(--order "$order")
    [ "${*: -1}" != --force ] || { options+=(--force); set -- "${@:1:$#-1}"; }
    for _ in 1 2 3 4 5 6; do
        record "$guest"
        act_in_part "$kind" "$guest" "${options[@]}" "$@"
        expect_report "$guest" "$kind" "$order" "$@"
        [ $(($(reported left) + $(reported partly))) != 0 ] || return 0
    done
    echo "$(reported left) blocks are left still"
    return 1
}

# A job is refused with that text, and the guest is as it was.
expect_refused() { # GUEST TEXT COMMAND ARGUMENT...
    local guest=$1 text=$2
    shift 2
    record "$guest"
    fails act "$@"
    expect_text "what folioctl says" "$(cat /tmp/report.error)" "$text"
    look "$guest"
    expect_others_untouched "$guest"
}

# foliod knows the guest's process, and how it stands.
is_known() { [ "$(figure "$1" pid)" = "$(qemu_of "$1")" ]; } # GUEST

start_acting() { # GUEST [CONFIGURATION]
    start_foliod "${2:-$acting}"
    wait_until $patience "foliod to find $1" is_known "$1"
}

stop_foliod() { # SIGNAL STATUS
    expect "status of foliod" "$(end foliod "$1")" "$2"
}

# Nothing of foliod is left on the host, though it may run: as before it started.
expect_host() { # FILE: what host_state said then
    local differs
    differs=$(diff "$1" <(host_state)) || { printf 'the host differs:\n%s\n' "$differs"; return 1; }
}

# After a restore: PMD-mapped bytes at least 99 % of what they were, and the process as it was.
expect_restored() { # GUEST HUGE-BYTES PROCESS-STATE
    local present huge
    read -r present huge < <(smaps_of "$1")
    echo "$1: $huge of $present bytes mapped by PMDs, $2 before"
    [ "$huge" -ge $(($2 * 99 / 100)) ] || return 1
    expect "THP of $1" "$(process_state "$1")" "$3"
}

huge_bytes() { smaps_of "$1" | cut -d' ' -f2; } # GUEST

has_huge() { # GUEST BYTES
    [ "$(huge_bytes "$1")" -ge "$2" ]
}
