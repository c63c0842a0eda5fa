"""From settings to archives: who is asked, how far a name may lead, and what hangs on one operator."""

from tidegate.config.added_sources import known_sources
from tidegate.sources.archive import Archive, Reach
from tidegate.sources.settings import ArchiveSettings, SourceSettings
from tidegate.wiring.archives import archive_of, preset_name, single_operator_notes

CANONICAL = ("http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu")


def made(name: str, *sources: SourceSettings) -> Archive:
    archive, _ = archive_of(ArchiveSettings(name=name, source=sources, architectures=("amd64",)))
    return archive


def test_a_source_that_is_switched_off_is_none() -> None:
    sources = (SourceSettings(url="http://a.example/x", enabled=False), SourceSettings(url="http://b.example/x"))
    assert [source.url for source in made("x", *sources).sources] == ["http://b.example/x"]


def test_region_and_priority_go_along() -> None:
    (source,) = made("x", SourceSettings(url="http://a.example/x", region="se", priority=3)).sources
    assert (source.region, source.priority) == ("se", 3)


def test_a_folder_is_read_and_not_connected_to() -> None:
    (source,) = made("x", SourceSettings(url="/media/disc")).sources
    assert (source.kind, str(source.endpoint.root), source.endpoint.authority) == ("media", "/media/disc", "")


def test_a_known_mirror_may_only_be_at_a_public_address() -> None:
    sources = made("debian", *known_sources("debian")).sources
    assert {source.endpoint.reach for source in sources} == {Reach.PUBLIC}


def test_an_archive_that_hangs_on_its_vendor_is_told_how_many_others_there_are() -> None:
    vendors = [SourceSettings(url=url, operator="canonical") for url in CANONICAL]
    (note,) = single_operator_notes([made("ubuntu", *vendors)])
    assert "canonical" in note
    assert "known_mirrors = true" in note
    assert single_operator_notes([made("ubuntu", *vendors, *known_sources("ubuntu"))]) == ()


def test_an_archive_that_nobody_else_is_known_to_carry_is_told_to_name_one() -> None:
    (note,) = single_operator_notes([made("zorin-stable", *known_sources("zorin-stable"))])
    assert "mirror_list" in note
    assert "known_mirrors" not in note


def test_a_file_of_a_known_mirror_belongs_to_the_archive_that_it_carries() -> None:
    assert preset_name("http://mirror.aarnet.edu.au/pub/ubuntu/archive/dists/noble/InRelease") == "ubuntu"
    assert preset_name("https://mirrors.aliyun.com/docker-ce/linux/debian/dists/x/InRelease") == "docker-debian"
    assert preset_name("http://mirror.aarnet.edu.au/pub/other/dists/noble/InRelease") is None
