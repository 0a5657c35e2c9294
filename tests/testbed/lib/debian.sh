# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's own kernel for arm64, as its package has it, for the emulated host: what foliod does on a kernel that
# nobody has changed. Its drivers are modules; those that the host needs go into an initramfs (inside/initramfs).

debian_kernel_package=linux-image-6.12-arm64

# What the root is on and what it is given, and what libvirt would have.
debian_modules=(virtio_blk ext4 crc32c_generic 9p 9pnet_virtio virtio-rng tun)

# The machine's own apt with lists of another architecture, in a directory of their own: nothing of the machine is
# changed.
apt_of() { # DIRECTORY COMMAND...
    local dir=$1 command=$2
    shift 2
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    touch "$dir/status"
    "$command" -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$dir/state" \
        -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root "$@"
}

# The meta-package says which is the newest.
newest_debian_kernel() { # APT-DIRECTORY
    apt_of "$1" apt-cache depends --no-recommends "$debian_kernel_package" |
        sed -nE 's/^ *Depends: (linux-image-6\.12\.[^ ]+)$/\1/p' | head -n 1
}

download_debian_kernel() { # DIRECTORY: fills DIRECTORY/root
    local package
    apt_of "$1/apt" apt-get update
    package=$(newest_debian_kernel "$1/apt")
    [ -n "$package" ] || { echo "apt knows no $debian_kernel_package"; return 1; }
    (cd "$1" && apt_of "$1/apt" apt-get download "$package")
    dpkg-deb --extract "$1"/linux-image-*.deb "$1/root"
    rm -rf "$1/apt" "$1"/*.deb
}

# The modules that one needs, before it; names as in files.
add_module() { # MODULES-DIRECTORY OUT NAME
    local file name
    [ ! -e "$2/$3.ko" ] || return 0
    file=$(find "$1" -name "$3.ko.xz" -o -name "${3//_/-}.ko.xz" | head -n 1)
    [ -n "$file" ] || { echo "no module $3 in $1"; return 1; }
    xz -dc "$file" > "$2/$3.ko"
    for name in $(tr '\0' '\n' < "$2/$3.ko" | sed -n 's/^depends=//p' | tr , ' '); do
        add_module "$1" "$2" "$name"
    done
    echo "$3" >> "$2/order"
}

# Busybox is the image's, with the libraries that it is linked with.
build_initrd() { # DIRECTORY IMAGE-ROOT
    local dir=$1/initrd.d name
    mkdir -p "$dir"/{bin,lib/aarch64-linux-gnu,modules,dev,proc,root}
    cp "$2/bin/busybox" "$dir/bin"
    cp -L "$2"/lib/ld-linux-aarch64.so.1 "$dir/lib"
    cp -L "$2"/lib/aarch64-linux-gnu/{libc.so.6,libresolv.so.2} "$dir/lib/aarch64-linux-gnu"
    for name in "${debian_modules[@]}"; do
        add_module "$1/root/lib/modules" "$dir/modules" "$name"
    done
    install -m 755 "$here/inside/initramfs" "$dir/init"
    (cd "$dir" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 | gzip -n) > "$1/initrd"
    rm -rf "$dir"
}

build_debian_kernel() { # DIRECTORY IMAGE-ROOT
    logged kernel-arm64-debian download_debian_kernel "$1"
    logged initrd-arm64-debian build_initrd "$1" "$2"
    cp "$1"/root/boot/vmlinuz-* "$1/Image"
    cp "$1"/root/boot/config-* "$1/config"
    rm -rf "$1/root"
}

# Prints the directory of the kernel: Image, config, initrd.
debian_kernel() { # ARCH
    local image
    [ "$1" = arm64 ] || fail "Debian's own kernel is for arm64"
    need_tools apt-get apt-cache dpkg-deb xz cpio
    image=$(image "$1")
    artefact "kernel-$1-debian" "$(key_of "$here/lib/debian.sh" "$here/inside/initramfs" "$image" "$(kernel_version)")" \
        "taking $debian_kernel_package from Debian (20 s, downloads 100 MB)" build_debian_kernel "$image/root"
}
