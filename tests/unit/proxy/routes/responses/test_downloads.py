"""Downloads as responses."""

import msgspec
import pytest

from gglib.core.hub import downloads
from gglib.proxy.routes.responses import Download

SIGNED = "https://example.org/files/m.gguf?signature=secret#part"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://h/m.gguf?Signature=hush", "https://h/m.gguf"),
        ("https://h/m.gguf", "https://h/m.gguf"),
        ("ada/tiny:Q4_K_M", "ada/tiny:Q4_K_M"),
    ],
)
def test_download_target_is_shown_without_its_query(target: str, shown: str) -> None:
    """A caller that may list downloads does not get another client's signature."""
    download = downloads.Download(id="1", target=target, state=downloads.DownloadState.QUEUED, created_at=1)
    assert Download.of(download).target == shown


@pytest.mark.parametrize(
    ("total_bytes", "bytes_per_s", "left_s"), [(100, 20, 4), (100, None, None), (None, 20, None), (15, 20, 0)]
)
def test_remaining_time_follows_from_size_and_speed(
    total_bytes: int | None, bytes_per_s: int | None, left_s: int | None
) -> None:
    """It is null without a size or a speed, and never negative."""
    download = downloads.Download(
        id="1",
        target="ada/tiny",
        state=downloads.DownloadState.RUNNING,
        created_at=1,
        done_bytes=20,
        total_bytes=total_bytes,
        bytes_per_s=bytes_per_s,
    )
    assert Download.of(download).left_s == left_s


def test_failed_download_has_code_and_message() -> None:
    """Clients see the code that an error response would have."""
    download = downloads.Download(
        id="1", target="ada/tiny", state=downloads.DownloadState.FAILED, created_at=1, error_code="disk_full"
    )
    assert msgspec.to_builtins(Download.of(download).error) == {"code": "disk_full", "message": ""}
