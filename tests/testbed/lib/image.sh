# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The root file system of the emulated host, which is also the sysroot that programs for it are built
# against.

image_packages=(base-files base-passwd bash busybox coreutils dash diffutils findutils grep gzip
    hostname kmod libc-bin libc6-dev libcmocka-dev mawk mount ncurses-base procps python3 sed tar util-linux)
# What programs of nested guests are linked with, beside libc.
guest_packages=(libsqlite3-dev)
# Only where KVM works inside: what foliod is built against, and the host that it runs on.
agent_packages=(libglib2.0-dev libvirt-dev libvirt-glib-1.0-dev libsystemd-dev libpolkit-gobject-1-dev
    libjson-glib-dev libxml2-dev libcairo2-dev dbus polkitd libvirt-daemon libvirt-daemon-driver-qemu
    libvirt-clients linux-perf)

# The machine's own sources of Debian, whatever form they are written in. A proxy and the like are apt's
# own configuration, which mmdebstrap does not take over by itself.
debian_sources() {
    # shellcheck disable=SC2016
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
        'Origin: Debian' | sort -u
}

extract_root() { # ROOT ARCH
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg options=() sources
    sources=$(debian_sources)
    if [ -z "$sources" ]; then
        # Without its lists apt does not know whose sources they are.
        apt-get -q update
        sources=$(debian_sources)
    fi
    [ -n "$sources" ] || fail "apt knows no source of Debian"
    arch_words "$2"
    [ ! -f $keyring ] || options+=("--keyring=$keyring")
    apt-config dump | grep -E '^Acquire::(http|https|Check-Valid-Until|Check-Date|Retries)' \
        > "$1.apt.conf" || true
    mmdebstrap --mode=root --arch="$deb_arch" --variant=extract --format=directory "${options[@]}" \
        --skip=check/qemu,output/dev --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --aptopt="$1.apt.conf" --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --include="$(packages_of "$2" | paste -sd,)" \
        "$(debian_suite)" "$1" - <<< "$sources"
    rm -f "$1.apt.conf"
}

debian_suite() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

packages_of() { # ARCH
    printf '%s\n' "${image_packages[@]}" "${guest_packages[@]}"
    case $1 in
    arm64) printf '%s\n' qemu-system-arm "${agent_packages[@]}" ;;
    *) echo qemu-system-x86 ;;
    esac
}

# The users of the daemons, with Debian's ids where it has fixed ones.
add_users() { # ROOT
    local root=$1
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    cat >> "$root/etc/group" <<'GROUPS'
messagebus:x:101:
polkitd:x:102:
libvirt:x:103:
kvm:x:999:
libvirt-qemu:x:64055:
GROUPS
    cat >> "$root/etc/passwd" <<'USERS'
messagebus:x:101:101::/nonexistent:/usr/sbin/nologin
polkitd:x:102:102::/nonexistent:/usr/sbin/nologin
libvirt-qemu:x:64055:999::/var/lib/libvirt:/usr/sbin/nologin
USERS
}

# What maintainer scripts would have done, had any run.
finish_root() { # ROOT
    local root=$1 helper=$1/usr/lib/dbus-1.0/dbus-daemon-launch-helper
    add_users "$root"
    cp "$root/usr/share/libc-bin/nsswitch.conf" "$root/etc/nsswitch.conf"
    if [ -e "$helper" ]; then # the bus starts polkitd by it
        chown 0:101 "$helper"
        chmod 4754 "$helper"
    fi
    ln -sf mawk "$root/usr/bin/awk"
    rm -rf "$root"/var/{run,lock} # directories in Debian's package
    ln -s /run "$root/var/run"
    ln -s /run/lock "$root/var/lock"
    ln -sf /proc/self/mounts "$root/etc/mtab"
    echo testbed > "$root/etc/hostname"
    : > "$root/etc/resolv.conf"
    # Any will do, but without a real one systemd takes every boot for the first.
    echo f0110d00f0110d00f0110d00f0110d00 > "$root/etc/machine-id"
    install -m 755 "$here/inside/first" "$root/sbin/testbed-first"
}

build_image() { # DIRECTORY ARCH
    local root=$1/root size
    [ "$(id -u)" = 0 ] || fail "the image can be built by root only"
    logged "image-$2" extract_root "$root" "$2"
    finish_root "$root"
    size=$(du -s --block-size=1M "$root" | cut -f1)
    # The file is sparse; what a run writes is dropped with it.
    logged "image-$2" mke2fs -q -t ext4 -L testbed -m 0 -O ^has_journal -d "$root" "$1/root.ext4" \
        $((size * 5 / 4 + 1024))M
}

# Prints the directory of an image: root.ext4, and root, the same as a tree.
image() { # ARCH
    need_tools mmdebstrap mke2fs apt-get
    artefact "image-$1" "$(key_of "$here/lib/image.sh" "$here/inside/first" "$(debian_suite)")" \
        "building the root image for $1 (1 to 3 minutes, downloads 130 MB)" build_image "$1"
}
