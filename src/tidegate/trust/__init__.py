"""Frames, signatures, keyrings and the rules by which a Release is accepted or refused."""
