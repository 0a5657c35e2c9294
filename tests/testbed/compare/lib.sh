# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The steps of a row: a guest, what is measured of it, and a host whose memory is in pieces.

set -uo pipefail
# shellcheck source=tests/testbed/inside/cases.sh
. ../inside/cases.sh
# shellcheck source=tests/testbed/inside/host.sh
. ../inside/host.sh

guest=compared
poll=3               # a look costs as much as the guest does in that time
ram=192              # MiB
accesses=20000000    # by the guest, in each window that is measured
reclaimed=144        # MiB of the guest's memory: more than it leaves idle
left=128             # MiB of the host's memory that is not taken away: in pieces
rows=$TESTBED_OUT/rows # a line "ROW NAME VALUE" for each figure

# Nothing but what a row does makes or takes huge pages; each page is swapped by itself.
prepare_host() {
    echo +memory > /sys/fs/cgroup/cgroup.subtree_control
    start_host
    fallocate -l $((ram * 2))M /swap && chmod 600 /swap && mkswap -q /swap && swapon /swap
    echo 3600000 > /sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs
    echo 0 > /proc/sys/vm/compaction_proactiveness
    echo 0 > /proc/sys/vm/page-cluster
    echo 4096 > /proc/sys/vm/min_free_kbytes # or little memory that is free would be short, and the guest swapped
}

start_compared() { # HUGE: of the tmpfs
    mount -o "remount,huge=$1" $guest_ram
    virsh -q undefine $guest > /dev/null 2>&1 || true
    rm -f "$(console_of $guest)"
    guest_backing="<allocation mode='immediate'/>" start_guest $guest $ram "rdinit=/patchy ZIPF=1 TICK_MS=5"
    wait_for_console $guest 'patchy: ready' 600
}

# Where libvirt has put it.
cgroup_of_guest() {
    echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(qemu_of $guest)/cgroup" | sed 's#/emulator$##')"
}

# Page faults of stage 2 in the guest's RAM since the first call, by what was amiss with the entry: none, not marked as
# accessed, not writable. What had to make room for newer events is counted too. Below RAM are devices, to which each
# access is such a fault.
fault_filter() { # KIND
    local kind
    case $1 in
    missing) kind='!(hsr & 8)' ;;
    old) kind='hsr & 8 && !(hsr & 4)' ;;
    denied) kind='hsr & 8 && hsr & 4' ;;
    esac
    echo "ipa >= 0x40000000 && ipa < 0x100000000 && $kind"
}

faults() { # KIND
    local instance=/sys/kernel/tracing/instances/$1
    if [ ! -d "$instance" ]; then
        mkdir "$instance"
        fault_filter "$1" > "$instance/events/kvm/kvm_guest_fault/filter"
        echo 1 > "$instance/events/kvm/kvm_guest_fault/enable"
    fi
    awk '$1 == "entries:" || $1 == "overrun:" { n += $2 } END { print n + 0 }' "$instance"/per_cpu/cpu*/stats
}

fault_kinds=(missing old denied)
declare -A faults_before

begin_faults() {
    local kind
    for kind in "${fault_kinds[@]}"; do faults_before[$kind]=$(faults "$kind"); done
}

# Those since then.
note_faults() { # ROW WHEN
    local kind n sum=0
    for kind in "${fault_kinds[@]}"; do
        n=$(($(faults "$kind") - faults_before[$kind]))
        note "$1" "$2_faults_$kind" $n
        sum=$((sum + n))
    done
    note "$1" "$2_faults" $sum
}

# Pages that were reclaimed and came back, of the whole host.
refaults() { sed -n 's/^workingset_refault_anon //p' /proc/vmstat; }

note() { echo "$@" | tee -a "$rows"; } # ROW NAME VALUE

# One window, whose figures are noted as WHEN_NAME.
meter() { # ROW WHEN
    "$TESTBED_BIN/meter" "$(qemu_of $guest)" $accesses "$TESTBED_OUT/blocks.$1.$2" > /tmp/metered
    while read -r name value; do note "$1" "$2_$name" "$value"; done < /tmp/metered
}

fragment() {
    echo 3 > /proc/sys/vm/drop_caches
    rm -f "$TESTBED_OUT/fragment.log"
    launch fragment "$TESTBED_BIN/fragment" $left
    wait_until 300 "the host's memory to be in pieces" grep -q '^fragmented' "$TESTBED_OUT/fragment.log"
}

# Huge pages that can be made, with nothing taken from the guest for it.
count_order9() { # ROW WHEN
    local group count
    group=$(cgroup_of_guest)
    echo 0 > "$group/memory.swap.max"
    echo 3 > /proc/sys/vm/drop_caches
    count=$("$TESTBED_BIN/order9" $((left + ram)) | sed -n 's/^order9 //p')
    echo max > "$group/memory.swap.max"
    note "$1" "$2_order9" "$count"
}

swapped() { cat "$(cgroup_of_guest)/memory.swap.current"; }

# By the kernel's own choice, as it does under pressure; bit by bit, so that use shows in between.
reclaim() { # ROW
    local group wanted=$((reclaimed << 20)) size
    group=$(cgroup_of_guest)
    for _ in $(seq 60); do
        size=$((wanted - $(swapped)))
        [ $size -gt 0 ] || break
        [ $size -lt $((8 << 20)) ] || size=$((8 << 20))
        # It may find less than that to take, and says so.
        echo $size > "$group/memory.reclaim" 2> /dev/null || true
        sleep 0.5
    done
    note "$1" swapped_mib $(($(swapped) >> 20))
}

measure() { # ROW
    local refaults
    meter "$1" split
    note_faults "$1" split
    fragment
    count_order9 "$1" before
    begin_faults
    refaults=$(refaults)
    reclaim "$1"
    meter "$1" reclaimed
    note_faults "$1" reclaimed
    note "$1" reclaimed_refaults $(($(refaults) - refaults))
    count_order9 "$1" after
    end fragment TERM > /dev/null
}

end_compared() {
    ! grep -E 'patchy: round [0-9]+ wrong [1-9]' "$(console_of $guest)"
    virsh -q destroy $guest
}
