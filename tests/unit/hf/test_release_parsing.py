"""The JSON of GitHub's release API."""

import pytest

from gglib.core.errors import HubError
from gglib.core.hub.releases import Release, ReleaseFile
from gglib.hf.release_parsing import rate_limit_wait_s, read_release, read_releases

SHA = "ab" * 32
ASSET = {
    "name": "a.zip",
    "size": 12,
    "state": "uploaded",
    "digest": f"sha256:{SHA}",
    "browser_download_url": "https://host.example/a.zip",
}
FILE = ReleaseFile(name="a.zip", size_bytes=12, url="https://host.example/a.zip", sha256=SHA)


def test_a_release_is_read_with_its_files() -> None:
    """Everything else is ignored."""
    content = {"tag_name": "b1", "draft": False, "assets": [ASSET], "body": "x"}
    assert read_release(content) == Release(tag="b1", files=(FILE,))
    assert read_releases([content]) == (Release(tag="b1", files=(FILE,)),)
    assert read_releases([]) == ()


@pytest.mark.parametrize("digest", [None, "", "md5:00", f"sha256:{SHA.upper()}", f"sha256:{SHA}0", 1])
def test_a_digest_of_another_form_is_none(digest: object) -> None:
    """The download of such a file is refused."""
    release = read_release({"tag_name": "b1", "assets": [{**ASSET, "digest": digest}]})
    assert [file.sha256 for file in release.files] == [None]


@pytest.mark.parametrize(
    "asset",
    [
        {},
        None,
        "text",
        {**ASSET, "state": "starter"},
        {**ASSET, "size": -1},
        {**ASSET, "size": "12"},
        {**ASSET, "name": None},
        {**ASSET, "browser_download_url": 1},
    ],
)
def test_a_file_that_is_incomplete_is_left_out(asset: object) -> None:
    """A release is published before all of its files are uploaded."""
    assert read_release({"tag_name": "b1", "assets": [asset, ASSET]}).files == (FILE,)


@pytest.mark.parametrize("content", [None, [], {}, {"tag_name": 1, "assets": []}, {"tag_name": "b1"}, "x"])
def test_other_json_is_no_release(content: object) -> None:
    """The sentence names the setting."""
    with pytest.raises(HubError, match="check 'engine_releases_url'"):
        read_release(content)
    with pytest.raises(HubError, match="check 'engine_releases_url'"):
        read_releases({"releases": content})


@pytest.mark.parametrize("status", [403, 429])
def test_the_rate_limit_says_when_it_ends(status: int) -> None:
    """In Unix time; without a usable time it is the hour that it may take."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1060"}
    assert rate_limit_wait_s(status, headers, 1000.0) == 60.0
    assert rate_limit_wait_s(status, headers, 2000.0) == 0.0
    for reset in ("", "soon", "-1", "9" * 30):
        assert rate_limit_wait_s(status, {**headers, "X-RateLimit-Reset": reset}, 1000.0) == 3600.0


def test_other_responses_are_not_the_rate_limit() -> None:
    """A 403 may be a proxy's."""
    assert rate_limit_wait_s(403, {}, 0.0) is None
    assert rate_limit_wait_s(403, {"X-RateLimit-Remaining": "12"}, 0.0) is None
    assert rate_limit_wait_s(200, {"X-RateLimit-Remaining": "0"}, 0.0) is None
