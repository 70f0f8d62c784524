"""What programs are shown of a download."""

import pytest

from gglib.core.download_json import download_json
from gglib.core.downloads import Download, DownloadState


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://h/m.gguf?Signature=hush", "https://h/m.gguf"),
        ("https://h/m.gguf", "https://h/m.gguf"),
        ("ada/tiny:Q4_K_M", "ada/tiny:Q4_K_M"),
    ],
)
def test_an_address_is_shown_without_its_query(target: str, shown: str) -> None:
    """Whoever may list downloads is not given another client's signature."""
    download = Download(id="1", target=target, state=DownloadState.QUEUED, created_at=1)
    assert download_json(download)["target"] == shown
