"""The one door to pysequoia, so that what must be set before its import is set, in one place.

With backtraces switched on in the environment, every refused signature would cost tens of milliseconds.
"""

import os

os.environ["RUST_BACKTRACE"] = "0"

from pysequoia import Cert, Sig, verify

__all__ = ["Cert", "Sig", "is_panic", "verify"]


def is_panic(error: BaseException) -> bool:
    """Whether `error` is a Rust panic, which PyO3 raises as a BaseException that no module exports."""
    return type(error).__module__ == "pyo3_runtime"
