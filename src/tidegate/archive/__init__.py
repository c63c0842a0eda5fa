"""Debian's own formats, as pure functions over bytes: no clock, no I/O."""
