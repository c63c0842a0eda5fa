"""Tell a child process, and everything below it, at its Nth write that the disk is full: once, or from then on.

As `crash_point.Trace`, but the call is skipped and answers ENOSPC. Only what goes to files counts: below the store's
directory, or by a call that gives or takes names. The index of SQLite's write-ahead log is grown by such a call, too.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Callable
from pathlib import Path

from tests.keeper.crash_point import SECCOMP_STOP, Trace, ptrace

MACHINE = "x86_64"
"""Where a skipped call's answer is put differs from machine to machine."""

# asm/unistd_64.h: what takes room by a descriptor in its first argument, and what by a name.
BY_DESCRIPTOR = {"write": 1, "pwrite64": 18, "writev": 20, "fsync": 74, "fdatasync": 75, "ftruncate": 77}
BY_DESCRIPTOR |= {"fallocate": 285, "pwritev": 296, "pwritev2": 328}
BY_NAME = {"rename": 82, "mkdir": 83, "link": 86, "symlink": 88, "mkdirat": 258, "renameat": 264, "renameat2": 316}
OPENAT = 257
DESCRIPTORS = frozenset(BY_DESCRIPTOR.values())

# ptrace(2) and the order of struct user_regs_struct (sys/user.h)
GETREGS, SETREGS = 12, 13
REGISTERS = 27
RAX, RDX, RDI, ORIG_RAX = 10, 12, 14, 15
SKIP = ctypes.c_ulong(-1).value

Registers = ctypes.c_ulong * REGISTERS


class Starved(Trace):
    """A child process that runs out of room. `count`: how many points there were, once it has ended."""

    calls = (*BY_DESCRIPTOR.values(), *BY_NAME.values(), OPENAT) if platform.machine() == MACHINE else ()

    def __init__(self, act: Callable[[], None], strike_at: int, directory: Path, begun: Path, *, once: bool) -> None:
        """Points are counted from when `begun` is there: what comes before is how a store is opened."""
        self._directory, self._begun, self._once = directory, begun, once
        self._strike_at = strike_at
        self.count = 0
        super().__init__(act, -1)

    def _is_the_point(self, pid: int, status: int) -> bool:
        """Never the end; where it is a point, the stopped call may be told that there is no room."""
        if status >> 8 == SECCOMP_STOP and self._takes_room(pid):
            self.count += 1
            if self.count == self._strike_at or (self.count > self._strike_at and not self._once):
                self._refuse(pid)
            self._go_on(pid, 0)
            return False
        return super()._is_the_point(pid, status)

    def _takes_room(self, pid: int) -> bool:
        if not self._begun.exists():
            return False
        registers = _registers(pid)
        number = registers[ORIG_RAX]
        if number == OPENAT:
            return bool(registers[RDX] & os.O_CREAT)
        if number in DESCRIPTORS:
            try:
                descriptor = ctypes.c_int(registers[RDI]).value
                return Path(f"/proc/{pid}/fd/{descriptor}").readlink().is_relative_to(self._directory)
            except FileNotFoundError:
                return False
        return True

    def _refuse(self, pid: int) -> None:
        registers = _registers(pid)
        registers[ORIG_RAX], registers[RAX] = SKIP, ctypes.c_ulong(-errno.ENOSPC).value
        _transfer(SETREGS, pid, registers)


def _registers(pid: int) -> "ctypes.Array[ctypes.c_ulong]":
    registers = Registers()
    _transfer(GETREGS, pid, registers)
    return registers


def _transfer(request: int, pid: int, registers: "ctypes.Array[ctypes.c_ulong]") -> None:
    ptrace(request, pid, ctypes.addressof(registers))
