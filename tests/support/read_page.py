#!/usr/bin/env python3
"""Reads a stats page as docs/stats-page.md describes it, and prints it as one line of JSON."""
import json, os, struct, sys

def text(raw):
    return raw.split(b"\0", 1)[0].decode("ascii", "replace")

def guarded(fd, size, offset):
    for _ in range(1000):
        before = os.pread(fd, 4, offset)
        block = os.pread(fd, size, offset)
        if before == os.pread(fd, 4, offset) and not before[0] & 1:
            return block
    return None

def read_page(path):
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    magic, version, size, slots_at, slot_size, slots = struct.unpack("=8s5I", os.pread(fd, 28, 0))
    assert magic == b"DBPOOLPG" and version == 2 and size == os.fstat(fd).st_size
    pid, _uid, ticks, _ns, created, _ = struct.unpack("=iIQQqq", os.pread(fd, 40, 64))
    realtime, monotonic = struct.unpack("=8xqq", guarded(fd, 24, 640))
    phase, waiters = struct.unpack("=II", os.pread(fd, 8, 704))
    each = [os.pread(fd, 136, slots_at + i * slot_size) for i in range(slots)]
    states = [struct.unpack_from("=I", slot, 4)[0] for slot in each]
    page = {"pid": pid, "start_ticks": ticks, "name": text(os.pread(fd, 64, 216)),
            "server": text(os.pread(fd, 256, 280)), "phase": phase,
            "open": states.count(2) + states.count(3), "held": states.count(3),
            "idle": states.count(2), "waiters": waiters,
            "acquired": sum(struct.unpack_from("=Q", slot, 128)[0] for slot in each),
            "created": created, "slots": []}
    for i in range(slots):
        block = guarded(fd, 128, slots_at + i * slot_size)
        if block is None:
            page["slots"].append(None)
            continue
        state, backend, thread, since, start, _, uses = struct.unpack_from("=IiiqqqQ", block, 4)
        page["slots"].append({"state": state, "backend_pid": backend, "thread": thread, "uses": uses,
                              "since": realtime + since - monotonic, "backend_start": start,
                              "site": text(block[64:128])})
    return page

if __name__ == "__main__":
    print(json.dumps(read_page(sys.argv[1])))
