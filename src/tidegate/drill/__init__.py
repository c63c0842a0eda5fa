"""Rehearsals: scenarios, the laboratory that plays them, faults in a running gateway, verdicts and pictures."""
