# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Boots the emulated host, has it run one thing, and judges its console.

# What the kernel says when something is wrong with it.
reports='BUG:|BUG [a-z]|WARNING:|Oops|Bad page|KASAN|UBSAN|KFENCE|INFO: (possible|task|rcu|trying|lockdep)'
reports+='|possible .*(deadlock|locking)|stalls? on|blocked for more than|soft lockup|Kernel panic|Internal error'
reports+='|Unable to handle|general protection|suspicious RCU|corruption|bad_page|cut here|Call [Tt]race:'
reports+='|refcount_t:|VM_BUG_ON|VM_WARN|DEBUG_LOCKS|page dumped|ODEBUG'

qemu= # the process of QEMU, or of the timeout around it

stop_qemu() {
    [ -z "$qemu" ] || kill "$qemu" 2> /dev/null || true
}

# A second archive after the first is taken too: the guest's /program.
add_guest_program() { # FILE
    local dir=$run_dir/guest-program
    mkdir -p "$dir"
    install -m 755 "$1" "$dir/program"
    (cd "$dir" && echo program | cpio --quiet -o -H newc -R 0:0 | gzip -n) >> "$run_dir/programs/guest.cpio.gz"
    rm -rf "$dir"
    basename "$1" > "$run_dir/programs/guest-program"
}

# A run's own directory: share (job, status, out), programs, console.log, output.log.
prepare_run() { # ARCH VARIANT SUITE JOB...: sets run_dir, kernel_dir, image_dir
    local arch=$1 variant=$2 suite=$3 programs_dir agent_dir guest_kernel
    shift 3
    kernel_dir=$(kernel "$arch" "$variant")
    guest_kernel=$kernel_dir
    # Debian's takes half a minute to boot in a nested guest, and needs modules there as well.
    [ "$variant" != debian ] || guest_kernel=$(kernel "$arch" plain)
    image_dir=$(image "$arch")
    programs_dir=$(programs "$arch" "$suite")
    [ "$with_agent" = no ] || agent_dir=$(agent "$arch")
    mkdir -p "$cache/run"
    find "$cache/run" -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf {} +
    run_dir=$(mktemp -d "$cache/run/$suite.$(date +%m%d-%H%M%S).XXXX")
    mkdir -p "$run_dir/share/out" "$run_dir/programs"
    cp -a "$programs_dir/." "$guest_kernel/Image" "$run_dir/programs"
    [ "$with_agent" = no ] || cp -a "$agent_dir/root" "$run_dir/programs/agent"
    [ -z "$guest_program" ] || add_guest_program "$guest_program"
    [ ! -d "$kernel_dir/selftests" ] || cp -a "$kernel_dir/selftests" "$run_dir/programs"
    [ ! -d "$variant" ] || variant=plain
    printf '%s\0' "$variant" "$@" > "$run_dir/share/job"
}

machine_of() { # ARCH: sets emulator, an array
    case $1 in
    arm64)
        emulator=(qemu-system-aarch64 -machine 'virt,virtualization=on,gic-version=3' -cpu neoverse-n1)
        console=ttyAMA0
        ;;
    x86_64)
        emulator=(qemu-system-x86_64 -machine q35 -cpu max)
        console=ttyS0
        ;;
    esac
}

share_option() { # TAG DIRECTORY [OPTION]
    echo "local,mount_tag=$1,path=$2,security_model=none,multidevs=remap${3:+,$3}"
}

# Exact: the clock inside advances by 2 ns for each instruction executed, not with the time that passes here,
# so that what a run measures does not depend on what else this machine does.
accelerator_of() { # yes|no: sets accelerator, an array
    accelerator=(-accel 'tcg,thread=multi')
    [ "$1" = no ] || accelerator=(-accel 'tcg,thread=single' -icount 'shift=1,sleep=off')
}

# Starts QEMU in the background. It ends with this shell, however that ends.
start_qemu() { # ARCH SECONDS CHARDEV-OPTIONS
    local emulator console accelerator unit=() initrd=()
    machine_of "$1"
    accelerator_of "$exact"
    [ "$spe" = no ] || unit_options "$1"
    [ ! -f "$kernel_dir/initrd" ] || initrd=(-initrd "$kernel_dir/initrd")
    need_tools "${emulator[0]}" setpriv timeout
    setpriv --pdeathsig TERM timeout --foreground --kill-after=10 "$2" \
        "${emulator[@]}" "${accelerator[@]}" -smp 2 -m "${memory}M" "${unit[@]}" -nodefaults -no-user-config -no-reboot \
        -display none -monitor none -kernel "$kernel_dir/Image" "${initrd[@]}" \
        -append "root=/dev/vda rw init=/sbin/testbed-first console=$console panic=-1 oops=panic kunit.enable=1" \
        -drive "if=none,id=root,file=$image_dir/root.ext4,format=raw,snapshot=on,cache=unsafe" \
        -device virtio-blk-pci,drive=root -device virtio-rng-pci -serial "file:$run_dir/console.log" \
        -chardev "stdio,id=tests,signal=off$3" -device virtio-serial-pci -device virtconsole,chardev=tests \
        -virtfs "$(share_option tree "$tree" readonly=on)" \
        -virtfs "$(share_option programs "$run_dir/programs" readonly=on)" \
        -virtfs "$(share_option share "$run_dir/share")" <&0 &
    qemu=$!
}

# Whatever way this shell ends, nothing of the run stays but its directory.
end_run() {
    stop_qemu
    [ -z "${run_dir:-}" ] || rm -rf "$run_dir/programs" "$run_dir/unit"
}

# 0 when the kernel had nothing to report.
judge_console() {
    local found
    found=$(grep -nE "$reports" "$run_dir/console.log") || return 0
    say "the kernel reports (line of $run_dir/console.log):"
    head -n 30 <<< "$found" >&2
    return 1
}

# Returned instead of the tests' own status.
status_reports=99 # the kernel had something to report
status_no_end=98  # it hung, or died before the tests ended

judge_run() { # STATUS-OF-QEMU SECONDS: prints what happened, returns the tests' status
    local status
    status=$(cat "$run_dir/share/status" 2> /dev/null) || status=
    if [ -z "$status" ]; then
        tail -n 30 "$run_dir/console.log" >&2
        [ "$1" != 124 ] || say "the limit of $2 s was reached"
        say "the run did not end by itself (QEMU: $1); above is the end of $run_dir/console.log"
        status=$status_no_end
    fi
    judge_console || status=$status_reports
    return "$status"
}

run_suite() { # ARCH VARIANT SECONDS SUITE ARGUMENT...
    local arch=$1 variant=$2 limit=$3 suite=$4 run_dir kernel_dir image_dir pipe copier status=0
    shift 4
    [ -f "$here/$suite/run" ] || fail "no such suite: $here/$suite/run"
    prepare_run "$arch" "$variant" "$suite" run "$suite" "$@"
    trap end_run EXIT
    say "running $suite on $arch, kernel $variant (at most $limit s)"
    # QEMU leaves what it writes to non-blocking, which would be the caller's terminal or pipe.
    exec {pipe}> >(exec cat)
    copier=$!
    start_qemu "$arch" "$limit" ",logfile=$run_dir/output.log" < /dev/null >&"$pipe"
    exec {pipe}>&-
    wait "$qemu" || status=$?
    qemu=
    wait "$copier" || true
    judge_run "$status" "$limit" || status=$?
    [ -z "$(ls -A "$run_dir/share/out")" ] || say "files of the run: $run_dir/share/out"
    say "$suite: status $status after $SECONDS s; console: $run_dir/console.log"
    end_run
    trap - EXIT
    return "$status"
}

run_shell() { # ARCH VARIANT SUITE
    local run_dir kernel_dir image_dir size terminal
    [ -t 0 ] || fail "a shell needs a terminal"
    size=$(stty size)
    terminal=$(stty -g)
    prepare_run "$1" "$2" "$3" shell rows "${size% *}" cols "${size#* }"
    # shellcheck disable=SC2064
    trap "end_run; stty '$terminal'" EXIT
    say "booting; leave the shell to end it; console: $run_dir/console.log"
    start_qemu "$1" infinity ""
    wait "$qemu" || true
    qemu=
    end_run
}
