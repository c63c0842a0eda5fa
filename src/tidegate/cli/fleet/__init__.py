"""`tidegate fleet`: the hosts, what they have, and who may report."""

from tidegate.cli.fleet.app import app

__all__ = ["app"]
