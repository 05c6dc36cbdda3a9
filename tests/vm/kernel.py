#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Makes one of Debian's own kernels bootable in qemu; called by tests/vm/lib.sh.

usage: kernel.py SERIES FOLDER MODULE...

Downloads the kernel's package and a static busybox by apt, unpacks them below
FOLDER (nothing is installed), takes the ELF image out of the bzImage, because it
boots by PVH in two seconds under emulation, and writes an initramfs with
tests/vm/init, busybox and the modules in load order. Does nothing where that was
done before. Prints the kernel's release.
"""
import lzma
import os
import re
import struct
import subprocess
import sys
import zlib

META_PACKAGE = {"6.1": "linux-image-amd64", "6.12": "linux-image-6.12-amd64"}
HERE = os.path.dirname(os.path.abspath(__file__))


def apt(*command, **kwargs):
    """Runs an apt tool; its output, or the exception with its error text."""
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, **kwargs).stdout


def image_package(series):
    """The concrete package behind the series' meta package."""
    out = apt("apt-cache", "depends", META_PACKAGE[series])
    found = re.search(r"Depends: (linux-image-[0-9]\S*)", out)
    if not found:
        raise RuntimeError(f"{META_PACKAGE[series]} names no kernel")
    return found.group(1)


def download(series, folder):
    """Both packages into folder/root. Stale package lists are renewed once."""
    for attempt in (1, 2):
        try:
            package = image_package(series)
            apt("apt-get", "download", "-qq", package, "busybox-static", cwd=folder)
            break
        except (subprocess.CalledProcessError, RuntimeError):
            if attempt == 2:
                raise
            apt("apt-get", "update", "-qq")
    root = os.path.join(folder, "root")
    for name in os.listdir(folder):
        if name.endswith(".deb"):
            apt("dpkg", "-x", os.path.join(folder, name), root)
            os.unlink(os.path.join(folder, name))
    return package.removeprefix("linux-image-")


def unpack_image(path, out_path):
    """The payload of a bzImage, by the boot protocol's header fields (Documentation/arch/x86/boot.rst)."""
    with open(path, "rb") as file:
        image = file.read()
    setup_sectors = image[0x1F1] or 4
    offset, size = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start:start + size]
    if payload[:6] == b"\xfd7zXZ\0":
        elf = lzma.LZMADecompressor().decompress(payload)
    elif payload[:2] == b"\x1f\x8b":
        elf = zlib.decompressobj(31).decompress(payload)
    elif payload[:4] == b"\x28\xb5\x2f\xfd":
        elf = subprocess.run(["zstd", "-dc"], input=payload[:-4], check=True, stdout=subprocess.PIPE).stdout
    else:
        raise RuntimeError(f"{path}: payload of an unknown compression")
    with open(out_path, "wb") as file:
        file.write(elf)


def read_module(path):
    """A module's bytes."""
    with open(path, "rb") as file:
        data = file.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def modules_in_order(root, wanted):
    """[(name, bytes)] of the wanted modules and what they depend on, dependencies first."""
    paths = {}
    for folder, _, names in os.walk(root):
        for name in names:
            found = re.match(r"(.+)\.ko(\.xz)?$", name)
            if found:
                paths[found.group(1).replace("-", "_")] = os.path.join(folder, name)
    order = {}

    def need(name):
        name = name.replace("-", "_")
        if name in order or name not in paths:  # absent: built in, or this series has no such module
            return
        data = read_module(paths[name])
        depends = re.search(rb"\0depends=([^\0]*)\0", b"\0" + data)
        for other in depends.group(1).decode().split(",") if depends else []:
            if other:
                need(other)
        order[name] = data

    for name in wanted:
        need(name)
    return list(order.items())


class Initramfs:
    """An uncompressed cpio archive in the newc format."""

    def __init__(self):
        self.data = b""
        self.inode = 0

    def add(self, name, mode, content=b""):
        """One entry."""
        self.inode += 1
        path = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        entry = b"070701" + b"".join(b"%08x" % field for field in fields) + path
        entry += b"\0" * (-len(entry) % 4) + content
        self.data += entry + b"\0" * (-len(entry) % 4)

    def write(self, path):
        """The archive into a file."""
        self.add("TRAILER!!!", 0)
        with open(path, "wb") as file:
            file.write(self.data)


def make_initramfs(folder, release, wanted):
    """init, busybox and modules."""
    archive = Initramfs()
    for name in ("bin", "dev", "proc", "sys", "tmp", "host", "new", "modules"):
        archive.add(name, 0o040755)
    with open(os.path.join(folder, "root/bin/busybox"), "rb") as file:
        archive.add("bin/busybox", 0o100755, file.read())
    with open(os.path.join(HERE, "init"), "rb") as file:
        archive.add("init", 0o100755, file.read())
    modules = modules_in_order(os.path.join(folder, "root/lib/modules", release), wanted)
    for number, (name, data) in enumerate(modules):
        archive.add(f"modules/{number:02d}-{name}.ko", 0o100644, data)
    archive.write(os.path.join(folder, "initramfs"))


def main():
    """See above."""
    series, folder, wanted = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.makedirs(folder, exist_ok=True)
    stamp = os.path.join(folder, "release")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as file:
            release = file.read()
    else:
        release = download(series, folder)
        unpack_image(os.path.join(folder, f"root/boot/vmlinuz-{release}"), os.path.join(folder, "vmlinux"))
        with open(stamp, "w", encoding="ascii") as file:
            file.write(release)
    make_initramfs(folder, release, wanted)
    print(release)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)}: {error.stderr.strip()}")
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        sys.exit(str(error))
