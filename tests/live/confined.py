#!/usr/bin/env python3
"""confined.py UNIT UID COMMAND...: runs the command as systemd would run the unit, as far as that can be had without
systemd: as that user, with its capabilities, without new privileges, and with its filter of system calls."""
import ctypes
import os
import platform
import re
import struct
import subprocess
import sys

PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_CAP_AMBIENT = 8, 24, 38, 22, 47
CAPABILITIES = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(libc, name)(*[ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]) != 0:
        raise OSError(ctypes.get_errno(), name)


def settings(path, key):
    return re.findall(rf"^{key}=(.*)$", open(path).read(), re.M)


def expand(group, groups):
    names = set()
    for name in groups[group]:
        names |= expand(name, groups) if name.startswith("@") else {name}
    return names


def filter_groups():
    groups, current = {}, None
    for line in subprocess.check_output(["systemd-analyze", "--no-pager", "syscall-filter"], text=True).splitlines():
        if line.startswith("@"):
            current = groups.setdefault(line.strip(), [])
        elif current is not None and line.startswith("    ") and not line.strip().startswith("#"):
            current.append(line.strip())
        elif not line.strip():
            current = None
    return groups


def allowed_calls(path):
    groups, names = filter_groups(), set()
    for line in settings(path, "SystemCallFilter"):
        for word in line.lstrip("~").split():
            listed = expand(word, groups) if word.startswith("@") else {word}
            names = names - listed if line.startswith("~") else names | listed
    assert len(names) > 100, names
    macros = subprocess.check_output(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], text=True)
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", macros))
    # what systemd allows in any filter, because it starts the service with it
    names |= {"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn", "brk", "mmap", "rseq"}
    return sorted(int(numbers[name]) for name in names if name in numbers)


def install_filter(calls):
    """BPF: other architectures and what is not listed get EPERM."""
    load, equal, ret = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 4), (equal, 1, 0, ARCHITECTURES[platform.machine()]), (ret, 0, 0, 0x00050001), (load, 0, 0, 0)]
    for number in calls:
        program += [(equal, 0, 1, number), (ret, 0, 0, 0x7FFF0000)]
    program.append((ret, 0, 0, 0x00050001))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    call("prctl", PR_SET_SECCOMP, 2, ctypes.addressof(header), 0, 0)


def take_capabilities(path, uid):
    bounding = {CAPABILITIES[name] for line in settings(path, "CapabilityBoundingSet") for name in line.split()}
    ambient = {CAPABILITIES[name] for line in settings(path, "AmbientCapabilities") for name in line.split()}
    last = int(open("/proc/sys/kernel/cap_last_cap").read())
    for number in set(range(last + 1)) - bounding:
        call("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)
    call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    mask = sum(1 << number for number in ambient)
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    data = ctypes.create_string_buffer(struct.pack("IIIIII", mask, mask, mask, 0, 0, 0))
    call("capset", header, data)
    for number in ambient:
        call("prctl", PR_CAP_AMBIENT, 2, number, 0, 0)


def main():
    unit, uid, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    calls = allowed_calls(unit)
    # the sanitizers' search for leaks traces the program
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    take_capabilities(unit, uid)
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    install_filter(calls)
    os.execv(command[0], command)


main()
