"""Landlock for a process that reads a few files: every other file is refused with EACCES.

Needs no privilege; Linux has it since 5.13, unless the kernel was built or started without.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

__all__ = ["keep_to", "version"]

CREATE, ADD_RULE, RESTRICT = 444, 445, 446
ASK_VERSION, PATH_BENEATH = 1, 1
PR_SET_NO_NEW_PRIVS = 38
READ_FILE = 1 << 2
# What each version of Landlock can refuse: of files so many kinds, of the network and of other
# processes these.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
NETWORK_SINCE, SCOPES_SINCE = 4, 6
EVERY_NETWORK_RIGHT, EVERY_SCOPE = 0b11, 0b11


def version() -> int:
    """Which version of Landlock this kernel has; 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(CREATE, None, ctypes.c_size_t(0), ASK_VERSION)))


def keep_to(readable: Iterable[Path]) -> None:
    """Let this process read the files *readable*, and open nothing else. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    known = version()
    rights = struct.pack(
        "QQQ",
        (1 << FILE_RIGHTS.get(known, 16)) - 1,
        EVERY_NETWORK_RIGHT if known >= NETWORK_SINCE else 0,
        EVERY_SCOPE if known >= SCOPES_SINCE else 0,
    )
    # An older kernel refuses what is longer than it knows, unless the rest is zero.
    rules = checked(libc.syscall(CREATE, rights, ctypes.c_size_t(len(rights)), 0), "be made")
    try:
        for path in readable:
            file = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = struct.pack("=Qi", READ_FILE, file)
                checked(libc.syscall(ADD_RULE, rules, PATH_BENEATH, rule, 0), "take a file")
            finally:
                os.close(file)
        checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "be allowed")
        checked(libc.syscall(RESTRICT, rules, 0), "be set")
    finally:
        os.close(rules)


def checked(result: int, what: str) -> int:
    """The result of a call. Raises `OSError` where it failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock's rules cannot {what}: {os.strerror(number)}")
    return int(result)
