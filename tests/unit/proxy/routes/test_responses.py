"""What programs are shown of models and downloads."""

import msgspec
import pytest

from gglib.core.hub import downloads
from gglib.core.hub.shown_source import pull_target
from gglib.core.models import ModelSource, ModelSummary
from gglib.proxy.routes.responses import Download, Model

SIGNED = "https://example.org/files/m.gguf?signature=secret#part"


def shown(source: ModelSource) -> object:
    """Return the source of a model as it is shown."""
    return msgspec.to_builtins(Model.of(ModelSummary(id=1, name="m", source=source), None).source)


def test_an_address_is_shown_without_its_query() -> None:
    """It may be a signature, which is the user's."""
    assert shown(ModelSource(origin="url", url=SIGNED, file="m.gguf")) == {
        "origin": "url",
        "repo": None,
        "revision": None,
        "asked_revision": None,
        "url": "https://example.org/files/m.gguf",
        "file": "m.gguf",
        "sha256": None,
    }


def test_what_was_asked_for_is_shown_beside_the_commit() -> None:
    """A model that was pulled at a branch says so."""
    source = shown(ModelSource(origin="hub", repo="ada/coder", revision="c0ffee", asked_revision="v1"))
    assert isinstance(source, dict)
    assert (source["revision"], source["asked_revision"], source["url"]) == ("c0ffee", "v1", None)


def test_what_to_pull_is_known_where_it_may_be_shown() -> None:
    """Of a repository with the revision that was asked for; of an address without a query; else not."""

    def target(source: ModelSource, *, is_downloaded: bool = True) -> str | None:
        return pull_target(ModelSummary(id=1, name="m", source=source, is_downloaded=is_downloaded))

    hub = ModelSource(origin="hub", repo="ada/coder", file="a.gguf", asked_revision="v1")
    assert target(hub) == "ada/coder/a.gguf@v1"
    assert target(ModelSource(origin="url", url="https://example.org/a.gguf")) == "https://example.org/a.gguf"
    assert target(ModelSource(origin="url", url=SIGNED)) is None
    assert target(ModelSource(origin="ollama", repo="ada/coder", file="a"), is_downloaded=False) is None
    assert target(ModelSource(origin="starter", file="a.gguf")) is None


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://h/m.gguf?Signature=hush", "https://h/m.gguf"),
        ("https://h/m.gguf", "https://h/m.gguf"),
        ("ada/tiny:Q4_K_M", "ada/tiny:Q4_K_M"),
    ],
)
def test_the_target_of_a_download_is_shown_without_its_query(target: str, shown: str) -> None:
    """A caller that may list downloads is not given another client's signature."""
    download = downloads.Download(id="1", target=target, state=downloads.DownloadState.QUEUED, created_at=1)
    assert Download.of(download).target == shown
