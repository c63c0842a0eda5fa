"""Kill what a child process does, with everything below it, at its Nth call that makes something lasting.

`Trace` counts the calls of all its threads and processes together (strace's injection counts for each thread apart,
so some points would never be reached) and kills with SIGKILL on entry to the Nth: what it would have done has not
happened. The child is forked, so that a hundred of them import the program once; the parent must have no threads.

How: a seccomp filter hands exactly these calls to the tracer (seccomp(2), SECCOMP_RET_TRACE), all others run freely.
"""

import ctypes
import os
import platform
import signal
import struct
import sys
import traceback
from collections.abc import Callable

STRUCK = 137

# By name and machine (asm/unistd.h): what flushes, names, unnames or shortens a file.
CALLS = {
    "x86_64": {
        "fsync": 74,
        "fdatasync": 75,
        "ftruncate": 77,
        "rename": 82,
        "link": 86,
        "unlink": 87,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "syncfs": 306,
        "renameat2": 316,
    },
    "aarch64": {
        "unlinkat": 35,
        "linkat": 37,
        "renameat": 38,
        "ftruncate": 46,
        "fsync": 82,
        "fdatasync": 83,
        "syncfs": 267,
        "renameat2": 276,
    },
}

# ptrace(2): sys/ptrace.h
TRACEME, CONT, SETOPTIONS = 0, 7, 0x4200
OPTIONS = 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000  # fork, vfork, clone, exec, seccomp, exitkill
SECCOMP_STOP = signal.SIGTRAP | 7 << 8  # as waitpid's status has it, shifted by eight
WALL = 0x40000000

# prctl(2), seccomp(2) and the classic BPF of linux/filter.h
SET_SECCOMP, FILTER, SET_NO_NEW_PRIVS = 22, 2, 38
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
RET_ALLOW, RET_TRACE = 0x7FFF0000, 0x7FF00000

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_LIBC.ptrace.restype = ctypes.c_long


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def ptrace(request: int, pid: int, data: int = 0) -> None:
    """Raises OSError: ProcessLookupError for a thread that is gone already."""
    if _LIBC.ptrace(request, pid, None, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def hand_over(numbers: list[int]) -> None:
    """Have each of these calls of ours, and of whatever we become, stop for the tracer first."""
    lines = [(LOAD_WORD, 0, 0, 0)]  # the call's number stands first in struct seccomp_data
    lines += [(JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    lines += [(RETURN, 0, 0, RET_ALLOW), (RETURN, 0, 0, RET_TRACE)]
    program = Program(len(lines), b"".join(struct.pack("=HBBI", *line) for line in lines))
    if _LIBC.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _LIBC.prctl(SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Trace:
    """A child process under way."""

    calls = tuple(CALLS.get(platform.machine(), {}).values())

    def __init__(self, act: Callable[[], None], strike_at: int) -> None:
        self._left = strike_at
        self._known: set[int] = set()
        self._status = 0
        self._main = os.fork()
        if self._main == 0:
            status = 1
            try:
                ptrace(TRACEME, 0)
                os.kill(os.getpid(), signal.SIGSTOP)
                hand_over(list(self.calls))
                act()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)

    def run(self) -> int:
        """To its end, or to the strike: its exit status, or STRUCK."""
        os.waitpid(self._main, 0)
        ptrace(SETOPTIONS, self._main, OPTIONS)
        self._known.add(self._main)
        self._go_on(self._main, 0)
        while self._known:
            pid, status = os.waitpid(-1, WALL)
            if os.WIFSTOPPED(status):
                if self._is_the_point(pid, status):
                    self._strike()
                    return STRUCK
            else:
                self._known.discard(pid)
                if pid == self._main:
                    self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def _is_the_point(self, pid: int, status: int) -> bool:
        """Count; where it is not the point, let the stopped thread go on."""
        number, deliver = os.WSTOPSIG(status), 0
        if status >> 8 == SECCOMP_STOP:
            self._left -= 1
            if self._left == 0:
                return True
        elif number == signal.SIGSTOP and pid not in self._known:
            self._known.add(pid)  # a new thread's first stop
        elif number != signal.SIGTRAP:
            deliver = number
        self._go_on(pid, deliver)
        return False

    @staticmethod
    def _go_on(pid: int, deliver: int) -> None:
        try:
            ptrace(CONT, pid, deliver)
        except ProcessLookupError:
            return

    def _strike(self) -> None:
        for pid in self._known:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        while True:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return
            if os.WIFSTOPPED(status):  # born a moment ago
                os.kill(pid, signal.SIGKILL)
