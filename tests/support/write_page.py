#!/usr/bin/env python3
"""Writes a stats page as docs/stats-page.md describes it: write_page.py FOLDER BACKEND_PID SITE

One pool with two slots, of which the first is borrowed. Prints the path, waits for a line, and removes the page."""
import mmap, os, struct, sys, time

SLOTS_AT, SLOT, SLOTS, HOOKS_AT, HOOK, HOOKS = 2624, 448, 2, 1088, 96, 16

def read(path):
    with open(path) as file:
        return file.read().strip()

def usec(clock):
    return time.clock_gettime_ns(clock) // 1000

def publish(folder, temporary):
    for number in range(100):
        path = f"{folder}/{os.getpid()}-{number}.page"
        try:
            os.link(temporary, path)  # fails where the name is taken
        except FileExistsError:
            continue
        os.unlink(temporary)
        return path
    raise FileExistsError(folder)

def write_page(folder, backend_pid, site):
    page = bytearray(SLOTS_AT + SLOTS * SLOT)
    realtime, monotonic = usec(time.CLOCK_REALTIME), usec(time.CLOCK_MONOTONIC)
    ticks = int(read("/proc/self/stat").rsplit(")", 1)[1].split()[19])
    struct.pack_into("=8s8I", page, 0, b"DBPOOLPG", 2, len(page), SLOTS_AT, SLOT, SLOTS, HOOKS_AT, HOOK, HOOKS)
    struct.pack_into("=iIQQqq40s72s64s256s32sQ", page, 64, os.getpid(), os.getuid(), ticks,
                     os.stat("/proc/self/ns/pid").st_ino, realtime, monotonic,
                     read("/proc/sys/kernel/random/boot_id").encode(), os.uname().nodename.encode(), b"written",
                     b"127.0.0.1:5432/app", b"", os.stat("/proc/self/ns/time").st_ino)
    struct.pack_into("=IIqqqqqQ", page, 576, 0, SLOTS, -1, -1, -1, 60_000_000, -1, 0)
    struct.pack_into("=IIqq", page, 640, 0, 0, realtime, monotonic)
    struct.pack_into("=I", page, 704, 2)
    struct.pack_into("=q", page, 760, -2**63)
    os.makedirs(folder, 0o700, exist_ok=True)
    temporary = f"{folder}/.{os.urandom(8).hex()}.new"
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, page)
    path = publish(folder, temporary)
    store = mmap.mmap(fd, len(page))
    struct.pack_into("=I", store, SLOTS_AT, 1)  # odd: it changes
    struct.pack_into("=IiiqqqQ", store, SLOTS_AT + 4, 3, backend_pid, 0, usec(time.CLOCK_MONOTONIC), -2**63, -2**63, 1)
    struct.pack_into("=64s", store, SLOTS_AT + 64, site.encode())
    struct.pack_into("=I", store, SLOTS_AT, 2)
    struct.pack_into("=Q", store, SLOTS_AT + 128, 1)
    return path

if __name__ == "__main__":
    path = write_page(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    print(path, flush=True)
    sys.stdin.readline()
    os.unlink(path)
