"""Settings: TOML, environment, command line and the host's own sources, in one frozen value."""
