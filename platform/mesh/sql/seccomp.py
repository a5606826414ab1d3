"""A seccomp filter for a process that computes: no network, no other process, no program.

Refused calls fail with EPERM. Set through `prctl`, which needs neither privilege nor a library.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

__all__ = ["ARCHITECTURES", "filter_calls", "program_of"]

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, EQUAL, AT_LEAST, HAS_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
CLONE_THREAD = 0x00010000
# A second table of calls, which the filter would otherwise not see.
X32 = 0x40000000
CLONE3 = 435
# Each machine's number in the kernel, and that of `clone`.
ARCHITECTURES = {"x86_64": (0xC000003E, 56), "aarch64": (0xC00000B7, 220)}
# What is refused, by its numbers on these machines.
REFUSED = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265),
    "keyctl": (250, 219),
    "userfaultfd": (323, 282),
}


def filter_calls() -> None:
    """Filter the calls of this process and its threads from now on. Raises `OSError`."""
    code = program_of(platform.machine())
    buffer = ctypes.create_string_buffer(code, len(code))
    # A `struct sock_fprog`: how many instructions, padding, where they are.
    program = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0),
        (PR_SET_SECCOMP, MODE_FILTER, ctypes.addressof(program)),
    ):
        option, *rest = arguments
        if libc.prctl(option, *map(ctypes.c_ulong, rest), 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp cannot be set: {errno.errorcode.get(number)}")


def program_of(machine: str) -> bytes:
    """The filter of a *machine*, in classic BPF. Raises `KeyError` for one that we know not."""
    architecture, clone = ARCHITECTURES[machine]
    eperm = (RETURN, 0, 0, FAIL | errno.EPERM)
    code = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (EQUAL, 1, 0, architecture),
        eperm,
        (LOAD, 0, 0, NUMBER_AT),
        (AT_LEAST, 0, 1, X32),
        eperm,
    ]
    for numbers in REFUSED.values():
        number = numbers[list(ARCHITECTURES).index(machine)]
        code += [] if number is None else [(EQUAL, 0, 1, number), eperm]
    # Its flags lie in memory, where no filter sees them: without it, libc uses `clone`.
    code += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, FAIL | errno.ENOSYS)]
    # A thread is no other process.
    code += [(EQUAL, 0, 3, clone), (LOAD, 0, 0, FIRST_ARGUMENT_AT)]
    code += [(HAS_BIT, 1, 0, CLONE_THREAD), eperm, (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *each) for each in code)
