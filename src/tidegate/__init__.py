"""Tidegate: security updates keep arriving, verified, while their vendor is under attack."""

__version__ = "0.1.0"
