"""Models and downloads as responses of the admin API."""

import msgspec
import pytest

from gglib.core.hub import downloads
from gglib.core.models import ModelSource, ModelSummary
from gglib.proxy.routes.responses import Download, Model

SIGNED = "https://example.org/files/m.gguf?signature=secret#part"


def shown(source: ModelSource) -> object:
    """Return the source of a model as the response shows it."""
    return msgspec.to_builtins(Model.of(ModelSummary(id=1, name="m", source=source), None).source)


def test_url_is_shown_without_its_query() -> None:
    """The query may be a signature, which is the user's secret."""
    assert shown(ModelSource(origin="url", url=SIGNED, file="m.gguf")) == {
        "origin": "url",
        "repo": None,
        "revision": None,
        "asked_revision": None,
        "url": "https://example.org/files/m.gguf",
        "file": "m.gguf",
        "sha256": None,
    }


def test_requested_revision_is_shown_beside_the_commit() -> None:
    """A model that was pulled at a branch shows the branch."""
    source = shown(ModelSource(origin="hub", repo="ada/coder", revision="c0ffee", asked_revision="v1"))
    assert isinstance(source, dict)
    assert (source["revision"], source["asked_revision"], source["url"]) == ("c0ffee", "v1", None)


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
