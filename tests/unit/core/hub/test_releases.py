"""Releases and their files."""

from gglib.core.hub.releases import Release, ReleaseFile


def test_a_file_is_found_by_its_name() -> None:
    """None for a name that the release does not have."""
    file = ReleaseFile(name="a.zip", size_bytes=1, url="https://host.example/a.zip")
    release = Release(tag="b1", files=(file,))
    assert release.file("a.zip") is file
    assert release.file("A.zip") is None
    assert file.sha256 is None
