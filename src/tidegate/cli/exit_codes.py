"""Exit codes: the shell's usual ones and, for our own failures, those of sysexits.h."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with. `tidegate run` passes its command's own code on."""

    OK = 0
    NO = 1
    USAGE = 2
    WARNING = 3
    UNAVAILABLE = 69
    CANNOT_CREATE = 73
    IO_ERROR = 74
    TEMPORARY = 75
    PERMISSION = 77
    CONFIG = 78

    @property
    def meaning(self) -> str:
        """For the documentation."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "done, or the answer is yes",
    ExitCode.NO: "the answer is no: refused, not ready, something to be done",
    ExitCode.USAGE: "the command was not understood",
    ExitCode.WARNING: "yes, but somebody should look (`tidegate readiness`)",
    ExitCode.UNAVAILABLE: "the gateway does not answer",
    ExitCode.CANNOT_CREATE: "a file or directory cannot be made",
    ExitCode.IO_ERROR: "reading or writing failed",
    ExitCode.TEMPORARY: "not now; the same command may succeed later",
    ExitCode.PERMISSION: "this user may not",
    ExitCode.CONFIG: "the settings cannot be used",
}
