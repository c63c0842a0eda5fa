"""An archive's keyring, from what its settings say: files, keys in place, fingerprints, or the preset's own."""

from pathlib import Path

from tidegate import presets
from tidegate.config.checks import ARMOR, FINGERPRINT, keyring_entries
from tidegate.sources.settings import ArchiveSettings
from tidegate.trust.keyring import KEYRING_BYTES_MAX, Keyring, load_keyring
from tidegate.trust.verdict import Reason, Refused


def keyring_of(archive: ArchiveSettings) -> Keyring:
    """The only keys that may sign for `archive`. Files that cannot be read become its `problems`.

    Without any setting: the keys that ship for an archive of this name, else none, so that nothing verifies.
    """
    entries = keyring_entries(archive)
    if not entries:
        return _preset_keyring(archive.name)
    fingerprints = [entry for entry in entries if FINGERPRINT.match(entry)]
    ring = Keyring()
    for entry in entries:
        if entry not in fingerprints:
            ring = ring.merge(_loaded(entry, archive.name))
    return ring.restrict(fingerprints) if fingerprints else ring


def _preset_keyring(name: str) -> Keyring:
    """This host's own copy of the vendor's keys, which its packages keep new; else the one that ships with us."""
    preset = presets.named(name)
    if preset is None:
        return Keyring()
    for path in preset.host_keyrings:
        if Path(path).is_file() and (ring := _loaded(path, name)).certificates:
            return ring
    if not preset.keyring:
        return Keyring()
    shipped = load_keyring(preset.keyring_data(), f"presets/keys/{preset.keyring}")
    return Keyring(problems=(shipped,)) if isinstance(shipped, Refused) else shipped


def _loaded(entry: str, name: str) -> Keyring:
    if ARMOR in entry:
        found = load_keyring(entry.encode(), f"the key in place of {name}")
    else:
        try:
            with Path(entry).open("rb") as file:
                found = load_keyring(file.read(KEYRING_BYTES_MAX + 1), entry)
        except OSError as error:
            found = Refused(Reason.EMPTY_KEYRING, f"the keyring {entry} cannot be read: {error.strerror}")
    return Keyring(problems=(found,)) if isinstance(found, Refused) else found


def keyring_at(path: str) -> Keyring:
    """The keys in a file; one that cannot be read becomes a problem."""
    return _loaded(path, "")
