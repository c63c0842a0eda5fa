"""The real apt in a private root: the oracle for everything that a client sees."""

from tests.realapt.private_apt import PrivateApt, Result

__all__ = ["PrivateApt", "Result"]
