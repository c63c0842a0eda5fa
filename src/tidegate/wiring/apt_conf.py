"""The configuration that sends every apt below a command through a private gateway. Pure but for `write`.

apt reads the file of APT_CONFIG first, then the parts, then the main file, each over the one before (apt.conf(5)). So
ours names a directory of parts in which the host's own come first, as links, and our proxy last.
"""

from pathlib import Path

from tidegate.config.apt_conf import read_apt_conf


def proxy_part(url: str) -> str:
    """The last word on proxies: http and https both go to the gateway, whatever the host says per name."""
    return (
        "#clear Acquire::http::Proxy;\n#clear Acquire::https::Proxy;\n"
        "#clear Acquire::http::Proxy-Auto-Detect;\n#clear Acquire::http::ProxyAutoDetect;\n"
        f'Acquire::http::Proxy "{url}";\nAcquire::https::Proxy "{url}";\n'
    )


def write(directory: Path, url: str, apt_config: str | None, *, root: Path = Path("/")) -> Path:
    """Write the files below an empty directory; returns what APT_CONFIG has to name. Raises OSError.

    `apt_config` is what APT_CONFIG names so far. Readable by all, since apt may drop its privileges.
    """
    parts = directory / "apt.conf.d"
    parts.mkdir(mode=0o755)
    directory.chmod(0o755)
    host = read_apt_conf(root, Path(apt_config) if apt_config else None)
    host_parts, host_main = host.path("dir::etc::parts", root), host.path("dir::etc::main", root)
    if host_parts is not None and host_parts.is_dir():
        for part in sorted(host_parts.iterdir()):
            (parts / part.name).symlink_to(part)
    if host_main is not None and host_main.is_file():
        (parts / "zzy-main").symlink_to(host_main)
    (parts / "zzz-tidegate").write_text(proxy_part(url))
    conf = directory / "apt.conf"
    include = f'#include "{apt_config}";\n' if apt_config else ""
    conf.write_text(f'{include}Dir::Etc::Parts "{parts}";\nDir::Etc::Main "{directory}/none";\n')
    return conf
