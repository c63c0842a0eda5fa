"""docs/configuration.md: prose that stands here, tables that come from the structs."""

from collections.abc import Iterator

from tidegate.config.keys import Key, Section, sections, toml_value


def markdown() -> str:
    """The whole reference."""
    return "\n".join([_INTRODUCTION, *(line for section in sections() for line in _section(section))]).rstrip()


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"## `{section.header}`", "")
    about = section.doc.partition(": ")[2]  # behind the header, with which each docstring begins
    yield from (about[:1].upper() + about[1:], "")
    yield from ("| setting | takes | unit | default | |", "|---|---|---|---|---|")
    yield from (_row(key) for key in section.keys)


def _row(key: Key) -> str:
    name = key.name.rpartition(".")[2]
    default = "must be given" if key.required else f"`{toml_value(key.default)}`"
    cells = (f"`{name}`", key.allowed, key.unit, default, key.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


_INTRODUCTION = """\
# Settings

Made by `tidegate config doc` from the structs that stand beside the code they govern; a test holds it equal.

None is needed: without a file, `tidegate serve` reads this host's own apt sources and serves their archives on
loopback. Where a value comes from, in this order:

1. the command line (`--listen`, `--admin`, `--state`, `--workers`, `--known-mirrors`);
2. the environment: `TIDEGATE_` and the setting's path with two underscores for each dot,
   `TIDEGATE_GATEWAY__LISTEN=0.0.0.0:3142`. Texts are taken as they are, other values are TOML, and lists may also be
   words with commas between them. Settings within lists of tables (`archive`) stand in the file only;
3. the file: `--config`, else `$TIDEGATE_CONFIG`, else `/etc/tidegate/tidegate.toml`;
4. the default.

`tidegate config show` says for each value which of these it was, `tidegate config explain KEY` what it is for, and
`tidegate config check` whether the whole can be used. An unknown key, a value of the wrong kind or a contradiction
stops the start (exit code 78): every problem is told at once, with its line. On SIGHUP the settings are read again;
when they cannot be used, the old ones stay in force.

```toml
[gateway]
listen = "0.0.0.0:3142"

[[archive]]
name = "ubuntu"
keyring = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
suites = ["noble", "noble-updates", "noble-security"]
components = ["main", "universe"]
architectures = ["amd64"]
aliases = ["http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu"]   # what clients ask for

[[archive.source]]
url = "http://mirror-a.example/ubuntu"
operator = "example"
kind = "mirror"
```

## Without an archive: the host's own sources

Where nothing names an archive, `/etc/apt/sources.list` and `/etc/apt/sources.list.d/*.{list,sources}` do, by apt's own
rules for file names and with `$APT_CONFIG` respected. (`archive = []` in the file says: none at all.)

- Entries whose addresses are the same place, or that a preset knows as one archive (`debian`, `debian-security`,
  `ubuntu`, …), make one archive; several addresses of an entry are several sources of it. A mirror that no preset
  knows belongs to a preset's archive when its entry is signed by that vendor's keyring and its folder has the
  archive's name. Any other archive is called after its host and path.
- Keys: Signed-By (paths, a key in place, fingerprints within the trusted keyrings); without it the preset's own keys;
  without a preset `/etc/apt/trusted.gpg` and `/etc/apt/trusted.gpg.d`, as apt does.
- `mirror+file:` lists are read, priorities and folders included. `cdrom:`, `file:`, `copy:`, `tor+http:` and the like
  go past the gateway: a note says so. So does one about each file or entry that cannot be read, and about `trusted=yes`
  and switched-off Valid-Until checks, which have no effect here.

## Whom an archive is fetched from

One healthy source is enough, so name several, of several operators. In this order, each address once:

1. the `[[archive.source]]` of the archive; where there are none and no list either, its `aliases`;
2. the lines of its `mirror_list`: an address, then tags, of which `priority:N` counts (lower ones are preferred; a
   line without one comes behind those that have one). This is the file that apt's `mirror+file:` reads:

   ```text
   http://mirror-a.example/ubuntu   priority:1
   https://mirror-b.example/ubuntu  priority:2
   file:///media/disc/ubuntu
   ```

3. where `known_mirrors` says so, those that ship with Tidegate for an archive of this name. They are facts from public
   lists, with where each is from (`src/tidegate/presets`), and nobody asked these machines whether they are up. It is
   off unless you switch it on, as whoever is asked learns what the fleet installs: for one archive there, for all of
   them in `[fetch]` or by `tidegate serve --known-mirrors`. The archive's own word wins.

`http` and `https` of one host are two sources of one operator. A source with `enabled = false` is never asked, and
keeps the same address of a list or a preset away. Where all of an archive's sources have one operator, `tidegate
status` says so: its failures, and its lies, hit all of them at once.

A folder (`file:///PATH` or `/PATH`) is a source like any other, of the kind `media`: a mounted disc or share that holds
`dists` and `pool`, or a part of them. What is read there is verified as if it came from the network. Links within it
are followed, and none that leads out of it.

## Through the site's proxy

Where the world is reached only through a proxy, name it: `proxy = "http://proxy.corp.example:3128"` in `[fetch]`. It is
never taken from the environment, and takes no user name. https goes through it by CONNECT, with the source's own
certificate; http is asked of it by the whole address; the hosts that clients reach by CONNECT go through it too. What
is within the site is asked directly: sources with `private = true`, private addresses, and names without a dot.

The proxy resolves the names, so it is the proxy, not Tidegate, that keeps a source's name from leading into the site:
see that its own rules do. Addresses that are private, in any spelling, and names of this machine are still refused
where a redirect names them. When the proxy fails, every source behind it is told as unreachable, with the proxy's
address."""
