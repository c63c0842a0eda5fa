"""Attacks on the whole product: the real command before a source that lies. docs/threats.md says which row is where."""
