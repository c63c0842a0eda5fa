"""Under which names a source may have the same bytes. Pure."""


def index_paths(path: str, digest: bytes, *, by_hash: bool = True) -> tuple[str, ...]:
    """An index's lasting by-hash name first, where the suite offers it, then its plain one.

    Some archives advertise by-hash and lack it, so the plain name always stays as a way.
    """
    directory = path.rpartition("/")[0]
    lasting = f"{directory}/by-hash/SHA256/{digest.hex()}".removeprefix("/")
    return (lasting, path) if by_hash else (path,)
