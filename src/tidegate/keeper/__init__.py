"""Keeps the store fresh: refresh, adopt, scrub, retention."""
