"""Becomes, or watches, a child that must not outlive its parent.

It is run by path (`python -I -S guard.py exec|watch PARENT NICE ARGV…`) before anything of ours is
imported: about 15 ms. It is not for calling; `mesh.backbone.process.spawn` is.

- `exec` (Linux): asks the kernel for SIGKILL at the parent's death, checks that the parent still is
  the parent, then becomes the command, with the same process id.
- `watch` (elsewhere): starts the command and waits for the end of standard input, a pipe whose
  other end only the parent holds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

__all__: list[str] = []

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_GRACE_S = 5.0
_PARENT_IS_GONE = 1
_CANNOT_START = 127  # what a shell says


def _become(parent: int, argv: list[str]) -> int:
    import ctypes  # only here: the other systems do without

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel had been asked
        return _PARENT_IS_GONE
    # Python ignores these two, and what is ignored stays ignored in the command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execv(argv[0], argv)  # noqa: S606  # no shell is what we want
    except OSError as error:
        print(f"cannot start {argv[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201  # the log
        return _CANNOT_START


def _watch(argv: list[str]) -> int:
    try:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, close_fds=False)
    except OSError as error:
        print(f"cannot start {argv[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201  # the log
        return _CANNOT_START

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, forward)
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    return child.wait()


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


def _main(mode: str, parent: str, nice: str, *argv: str) -> int:
    os.nice(int(nice))
    return _become(int(parent), list(argv)) if mode == "exec" else _watch(list(argv))


if __name__ == "__main__":
    _code = _main(*sys.argv[1:])
    sys.exit(_code if _code >= 0 else 128 - _code)
