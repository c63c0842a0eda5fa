"""Tests. A package, so that the simulator and the oracle are imported by name from anywhere."""
