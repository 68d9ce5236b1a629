# Changes a copy of a region in the way that is asked for: damage.py FILE WHAT. WHAT is exe, modules,
# strings, version, a number (random damage by that seed) or a path that all modules get. Offsets are those of include/lastack/region.h.
import random
import struct
import sys

SECTIONS = 16 + 8 + 16 + 8 + 8  # in the header: magic, version, header_bytes | size | boot_id | created_us | pid, counters_count
PROCESSES, THREADS, CONNECTIONS, STACKS, MODULES, POLICY = range(6)
EVIL = b"\x1b[31mred\nline\x9b\xff"


def section(data, number):
    """Offset, count and stride."""
    return struct.unpack_from("=QII", data, SECTIONS + 16 * number)


def entries(data, number):
    offset, count, stride = section(data, number)
    return [offset + index * stride for index in range(count)]


def evil_exe(data):
    changed = 0
    for at in entries(data, PROCESSES):
        if struct.unpack_from("=I", data, at)[0]:
            data[at + 32 : at + 96] = EVIL.ljust(64, b"\0")
            changed += 1
    assert changed, "no process"


def rename_modules(data, name):
    changed = 0
    for at in entries(data, MODULES):
        if struct.unpack_from("=I", data, at + 8)[0]:
            data[at + 36 : at + 248] = name.ljust(212, b"\0")
            changed += 1
    assert changed, "no module"


def endless_strings(data):
    for at in entries(data, PROCESSES):
        data[at + 32 : at + 96] = b"\x1b" * 64
    for at in entries(data, MODULES):
        data[at + 36 : at + 248] = b"\x1b" * 212


def other_version(data):
    struct.pack_into("=I", data, 8, 0x7fffffff)


def noise(data, seed):
    chance = random.Random(seed)
    offset, _, stride = section(data, CONNECTIONS)
    for _ in range(200):
        data[offset + chance.randrange(stride * 8)] = chance.randrange(256)
    for number in (PROCESSES, THREADS, STACKS, MODULES, POLICY):
        offset, count, stride = section(data, number)
        for _ in range(50):
            data[offset + chance.randrange(min(count * stride, 4096))] = chance.randrange(256)


def main():
    path, what = sys.argv[1:3]
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        if what.isdigit():
            noise(data, int(what))
        elif what.startswith("/"):
            rename_modules(data, what.encode())
        else:
            {"exe": evil_exe, "modules": lambda data: rename_modules(data, EVIL), "strings": endless_strings, "version": other_version}[what](data)
        file.seek(0)
        file.write(data)


main()
