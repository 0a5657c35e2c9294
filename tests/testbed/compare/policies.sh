# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is done to the guest's memory, by rows. Each ends with nothing left that acts.

# Ready to act, and nothing but what is asked for.
by_hand=$'[Guests]\nMode=adaptive\n[Sampling]\nSource=none'
by_itself=$'[Guests]\nMode=adaptive\n[Sampling]\nEpochSeconds=0.5\nSampleBy=process\nCpuShare=50%\n[Acting]\nActShare=100%'
kdamonds=/sys/kernel/mm/damon/admin/kdamonds

is_known() { [ "$(figure $guest pid)" = "$(qemu_of $guest)" ]; }
has_windows() { [ "$(figure $guest windows)" -ge "$1" ]; } # N

start_acting() { # CONFIGURATION
    start_foliod "$1"
    wait_until $patience "foliod to find the guest" is_known
}

stop_acting() { expect "status of foliod" "$(end foliod TERM)" 0; }

# What the guest or QEMU has in hand at the moment is left; another time it is not.
split_blocks() { # RANGE...|--all
    local status
    for _ in 1 2 3 4; do
        status=0
        folioctl split $guest "$@" || status=$?
        [ $status = 6 ] || break
    done
    [ $status = 0 ] || [ $status = 6 ]
}

policy_always() { :; }
policy_never() { :; }

policy_split_all() {
    start_acting "$by_hand"
    split_blocks --all
    stop_acting
}

# DAMON watches QEMU's address space, 20 samples in 0.8 s, and does by itself what a user of it would write: what was
# not seen accessed for 4 s is split, what was in half of all samples for 1.6 s is collapsed.
damon_seconds=60

# While a kdamond answers, its files are busy.
store() { echo "$2" > "$1"; } # FILE VALUE
put() { wait_until 30 "$1 to take $2" store "$1" "$2"; }

damon_scheme() { # NUMBER ACTION ORDER LEAST-ACCESSES MOST-ACCESSES LEAST-AGE
    local scheme=$kdamonds/0/contexts/0/schemes/$1
    put "$scheme/action" "$2"
    put "$scheme/target_order" "$3"
    put "$scheme/access_pattern/sz/max" 18446744073709551615
    put "$scheme/access_pattern/nr_accesses/min" "$4"
    put "$scheme/access_pattern/nr_accesses/max" "$5"
    put "$scheme/access_pattern/age/min" "$6"
    put "$scheme/access_pattern/age/max" 4294967295
}

policy_damon() {
    local context=$kdamonds/0/contexts/0
    put $kdamonds/nr_kdamonds 1
    put $kdamonds/0/contexts/nr_contexts 1
    put $context/operations vaddr
    put $context/monitoring_attrs/intervals/sample_us 40000
    put $context/monitoring_attrs/intervals/aggr_us 800000
    put $context/targets/nr_targets 1
    put $context/targets/0/pid_target "$(qemu_of $guest)"
    put $context/schemes/nr_schemes 2
    damon_scheme 0 split 0 0 0 5
    damon_scheme 1 collapse 9 10 20 2
    put $kdamonds/0/state on
    sleep $damon_seconds
    put $kdamonds/0/state update_schemes_stats
    for scheme in 0 1; do
        echo "damon: $(cat $context/schemes/$scheme/action): tried $(cat $context/schemes/$scheme/stats/sz_tried)" \
            "bytes, applied to $(cat $context/schemes/$scheme/stats/sz_applied)"
    done
    put $kdamonds/0/state off
    put $kdamonds/nr_kdamonds 0
}

# damon_spe: of one recording, every block of which fewer than a tenth of the sub-pages were seen is split.
naive_event=ts_enable=1,pa_enable=1,pct_enable=1,jitter=1,load_filter=1,store_filter=1

split_by_recording() { # ROW SECONDS PERIOD
    local blocks
    timeout $(($2 * 10 + 60)) perf record -q -o /tmp/naive.data -c "$3" -e arm_spe_0/$naive_event/GH \
        -p "$(qemu_of $guest)" -- sleep "$2"
    start_acting "$by_hand"
    folioctl --json analyze --guest=$guest /tmp/naive.data > "$TESTBED_OUT/$1.json"
    folioctl --json show $guest > "$TESTBED_OUT/$1.guest.json"
    mapfile -t blocks < <(python3 ./naive.py "$TESTBED_OUT/$1.json" "$(ram_address)" $((ram / 2)))
    echo "$1: ${blocks[*]}"
    [ ${#blocks[@]} = 0 ] || split_blocks "${blocks[@]}"
    stop_acting
}

policy_naive() { split_by_recording naive 10 16384; }
policy_naive_long() { split_by_recording naive_long 60 1024; }

# Where in QEMU the guest's RAM begins.
ram_address() {
    sed -nE "s#^([0-9a-f]+)-.* $guest_ram/.*#0x\\1#p" "/proc/$(qemu_of $guest)/maps" | head -n 1
}

# By itself, for so many windows.
foliod_windows=${COMPARE_WINDOWS:-45}

policy_foliod() {
    start_acting "$by_itself"
    wait_until $((foliod_windows * 30)) "$foliod_windows windows" has_windows "$foliod_windows"
    folioctl show $guest
    note foliod samples "$(figure $guest samples)"
    stop_acting
}
