# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A libvirt host made of the emulated one, for suites that run foliod (tests/testbed/SUITE/options: --agent):
# system bus with polkitd, libvirtd, guests in KVM, and foliod as installed. Logs go to $TESTBED_OUT. Whatever is
# waited for has a limit, after which the function fails and says so.

host=/run/host                  # what is known of the daemons, and the consoles of guests
guest_ram=/var/lib/libvirt/ram  # huge=always
launcher=/usr/libexec/foliod/qemu-system-aarch64
export NO_COLOR=1
mkdir -p $host

# Seconds. A loaded machine that emulates two processors is slow.
patience=120

# Looks again and again, each time after so many seconds: $poll, where that is set.
wait_until() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) limit=$1 what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            echo "waited $limit s in vain: $what"
            return 1
        fi
        sleep "${poll:-0.2}"
    done
}

# Runs a daemon in the background: its output goes to NAME.log, its process id to NAME.pid, its exit status to
# NAME.status when it has ended.
launch() { # NAME COMMAND...
    local name=$1 status=0
    shift
    rm -f "$host/$name".{pid,status}
    {
        "$@" >> "$TESTBED_OUT/$name.log" 2>&1 < /dev/null &
        echo $! > "$host/$name.pid"
        wait $! || status=$?
        echo $status > "$host/$name.status"
    } &
    wait_until 10 "the process of $name" [ -s "$host/$name.pid" ]
}

pid_of() { cat "$host/$1.pid"; } # NAME
has_ended() { [ -s "$host/$1.status" ]; } # NAME

# Sends a signal, and prints the exit status of the daemon.
end() { # NAME SIGNAL
    kill -"$2" "$(pid_of "$1")" && wait_until $patience "the end of $1" has_ended "$1" >&2 && cat "$host/$1.status"
}

start_bus() {
    mkdir -p /run/dbus
    launch dbus dbus-daemon --system --nofork --nopidfile
    wait_until $patience "the system bus" [ -S /run/dbus/system_bus_socket ]
}

# As a host is set up for foliod (README), with what needs no other daemon: QEMU's output in a file, no login.
configure_libvirt() {
    mkdir -p /etc/libvirt $guest_ram
    mountpoint -q $guest_ram || mount -t tmpfs -o huge=always,mode=0711 ram $guest_ram
    cat > /etc/libvirt/qemu.conf <<CONF
memory_backing_dir = "$guest_ram"
stdio_handler = "file"
CONF
    cat > /etc/libvirt/libvirtd.conf <<CONF
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_ro_perms = "0777"
CONF
}

start_libvirtd() {
    [ -f /etc/libvirt/qemu.conf ] || configure_libvirt
    rm -f /run/libvirt/libvirt-sock{,-ro} # of one that was killed
    launch libvirtd libvirtd
    wait_until $patience "libvirtd" virsh -q uri
}

# All that a host has before foliod starts; what an earlier script of the suite has started is still there.
start_host() {
    ! virsh -q version > /dev/null 2>&1 || return 0
    cp -a "$TESTBED_AGENT/." /
    start_bus && start_libvirtd
}

# A guest whose RAM is a file, shared; guest_backing may hold more of that (XML). Its first process is /init of
# $TESTBED_GUEST_INITRD, which finds the words of COMMAND-LINE in its environment (guest/init.c), unless they say
# rdinit=. guest_serial may be another serial line than a file (XML).
guest_xml() { # NAME MIB EMULATOR COMMAND-LINE
    cat <<XML
<domain type='kvm'>
  <name>$1</name>
  <memory unit='MiB'>$2</memory>
  <memoryBacking><source type='file'/><access mode='shared'/>${guest_backing:-}</memoryBacking>
  <vcpu>1</vcpu>
  <os>
    <type arch='aarch64' machine='virt'>hvm</type>
    <kernel>$TESTBED_KERNEL</kernel>
    <initrd>$TESTBED_GUEST_INITRD</initrd>
    <cmdline>console=ttyAMA0 quiet panic=-1 $4</cmdline>
  </os>
  <features><gic version='3'/></features>
  <cpu mode='host-passthrough'/>
  <devices>
    <emulator>$3</emulator>
    <controller type='usb' model='none'/>
    ${guest_serial:-<serial type='file'><source path='$(console_of "$1")'/></serial>}
    <memballoon model='none'/>
  </devices>
</domain>
XML
}

console_of() { echo "$host/$1.console"; } # NAME

start_guest() { # NAME MIB [COMMAND-LINE [EMULATOR]]
    guest_xml "$1" "$2" "${4:-$launcher}" "${3:-}" > "$host/$1.xml"
    virsh -q define "$host/$1.xml" && timeout 120 virsh -q start "$1" && return
    cat "/var/log/libvirt/qemu/$1.log"
    return 1
}

# Waits for what a guest prints.
wait_for_console() { # NAME TEXT SECONDS
    wait_until "$3" "\"$2\" of guest $1" grep -q -- "$2" "$(console_of "$1")" && return
    tail -n 20 "$(console_of "$1")"
    return 1
}

qemu_of() { cat "/run/libvirt/qemu/$1.pid"; } # NAME: its process

# Bytes of the guest's RAM by its QEMU's smaps: present, mapped by huge pages.
smaps_of() { # NAME
    awk -v directory="$guest_ram/" '
        /^[0-9a-f]+-[0-9a-f]+ / { ours = index($0, directory) > 0 }
        ours && $1 == "Rss:" { present += $2 }
        ours && $1 == "ShmemPmdMapped:" { huge += $2 }
        END { print present * 1024, huge * 1024 }' "/proc/$(qemu_of "$1")/smaps"
}

# Starts foliod with that configuration on top of the vendor's, and waits until it follows libvirt.
start_foliod() { # [CONFIGURATION]
    mkdir -p /etc/foliod/foliod.conf.d
    echo "${1:-}" > /etc/foliod/foliod.conf.d/suite.conf
    launch foliod /usr/sbin/foliod --debug
    wait_until $patience "foliod's connection to libvirt" is_connected
}

is_connected() { folioctl status | grep -q '^libvirt .*, connected$'; }

# A value of the first object that has it, in what folioctl --json prints.
member() { # MEMBER < JSON
    sed -nE '/^ *"'"$1"'" : "?([^",]*)"?,?$/{s//\1/p;q}'
}

# What folioctl knows of a guest, such as state or huge_bytes.
figure() { folioctl --json show "$1" | member "$2"; } # GUEST MEMBER

has_figure() { [ "$(figure "$1" "$2")" = "$3" ]; } # GUEST MEMBER VALUE
has_no_guest() { ! folioctl list | grep -q "^$1 "; } # GUEST

wait_for_figure() { # GUEST MEMBER VALUE
    wait_until $patience "$2 of $1 to be $3" has_figure "$@" && return
    echo "$2 of $1 is $(figure "$1" "$2")"
    return 1
}

# What QEMU and the guests said stays with the run.
keep_logs() {
    cp /var/log/libvirt/qemu/*.log $host/*.console "$TESTBED_OUT" 2> /dev/null || true
}
