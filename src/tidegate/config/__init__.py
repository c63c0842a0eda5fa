"""Settings: TOML, environment, command line and the host's own sources, in one frozen value."""

from tidegate.config.environment import Override
from tidegate.config.gathering import Gathered, gather
from tidegate.config.host import archives_from_host
from tidegate.config.host_archives import HostSources
from tidegate.config.keyrings import keyring_of
from tidegate.config.problems import ConfigError, Problem
from tidegate.config.reading import load
from tidegate.config.settings import Settings

__all__ = [
    "ConfigError",
    "Gathered",
    "HostSources",
    "Override",
    "Problem",
    "Settings",
    "archives_from_host",
    "gather",
    "keyring_of",
    "load",
]
