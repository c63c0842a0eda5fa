"""The one place that joins rooms into a running program."""
