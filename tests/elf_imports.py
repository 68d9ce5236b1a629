#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What ELF files take from the C library, and what it gives: the dynamic symbol tables, read without a library.

exports FILE          one line for each version of each function: NAME VERSION
imports FOLDER...     one line for each function taken from the C library: NAME VERSION FILES, then "= FILES files"
"""
import collections
import mmap
import os
import stat
import struct
import sys

SECTIONS = {"symbols": 11, "versions": 0x6FFFFFFF, "needed": 0x6FFFFFFE, "given": 0x6FFFFFFD}
FUNCTIONS = (2, 10)  # STT_FUNC, STT_GNU_IFUNC


class Elf:
    """The dynamic symbols of a 64-bit little-endian file; ValueError for all else."""

    def __init__(self, path):
        with open(path, "rb") as file:
            head = file.read(64)
            if head[:6] != b"\x7fELF\x02\x01" or len(head) < 64:
                raise ValueError("no ELF file of 64 bits")
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        (table,) = struct.unpack_from("<Q", head, 40)
        size, count = struct.unpack_from("<HH", head, 58)
        self.sections = []
        for i in range(count):
            fields = struct.unpack_from("<IIQQQQIIQQ", self.data, table + i * size)
            self.sections.append((fields[1], fields[4], fields[5], fields[6]))  # kind, offset, bytes, link

    def section(self, which):
        for kind, offset, size, link in self.sections:
            if kind == SECTIONS[which]:
                return self.data[offset : offset + size], link
        return b"", 0

    def text(self, link, at):
        start = self.sections[link][1] + at
        return self.data[start : self.data.find(b"\0", start)]

    def version_names(self, which):
        """The names of the versions that are needed or given, by their index."""
        data, link = self.section(which)
        names, at = {}, 0
        while data:
            if which == "needed":
                _, count, _, first, step = struct.unpack_from("<HHIII", data, at)
                part = at + first
                for _ in range(count):
                    _, _, index, name, next_part = struct.unpack_from("<IHHII", data, part)
                    names[index] = self.text(link, name).decode()
                    part += next_part
            else:
                _, _, index, _, _, first, step = struct.unpack_from("<HHHHIII", data, at)
                names[index] = self.text(link, struct.unpack_from("<I", data, at + first)[0]).decode()
            at += step
            if not step:
                break
        return names

    def functions(self, defined):
        """(name, index of its version) of all functions that are defined here, or of all names that are not."""
        symbols, link = self.section("symbols")
        versions = self.section("versions")[0]
        for i, (name, info, _, section, _, _) in enumerate(struct.iter_unpack("<IBBHQQ", symbols)):
            if (section != 0) != defined or not name or (defined and info & 15 not in FUNCTIONS):
                continue
            if 2 * i + 2 <= len(versions):
                yield self.text(link, name).decode(), struct.unpack_from("<H", versions, 2 * i)[0] & 0x7FFF


def exports(path):
    elf = Elf(path)
    names = elf.version_names("given")
    for name, index in sorted(set(elf.functions(True))):
        print(name, names[index])


def programs(folders):
    """Every file once that is executable or looks like a library."""
    seen = set()
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                found = os.lstat(path)
                if not stat.S_ISREG(found.st_mode) or (found.st_dev, found.st_ino) in seen:
                    continue
                if found.st_mode & 0o111 or ".so" in name or name.endswith(".node"):
                    seen.add((found.st_dev, found.st_ino))
                    yield path


def imports(folders):
    count, files = collections.Counter(), 0
    for path in programs(folders):
        try:
            elf = Elf(path)
            names = elf.version_names("needed")
            taken = {(name, names[index]) for name, index in elf.functions(False)
                     if index in names and names[index].startswith("GLIBC_")}
        except (OSError, ValueError, IndexError, struct.error):
            continue  # a script, another machine's, not readable, cut short
        files += bool(taken)
        count.update(taken)
    for (name, version), times in sorted(count.items()):
        print(name, version, times)
    print("=", files, "files")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("exports", "imports"):
        sys.exit(__doc__)
    exports(sys.argv[2]) if sys.argv[1] == "exports" else imports(sys.argv[2:])
