"""Where a model can be downloaded from, and where its download has failed."""

from dataclasses import replace
from typing import Any

import pytest

from gglib.core.backends import UrlBackend
from gglib.core.models import ModelSource
from gglib.nodes.model_index import ClusterModel
from gglib.nodes.pull_sources import (
    FIRST_BACKOFF_S,
    MAX_BACKOFF_S,
    PullFailures,
    pull_bytes,
    pull_source,
)

from .cluster import GIB, a_model

EXACT = ModelSource(origin="hub", repo="ada/tiny", revision="c0ffee", file="q4/tiny-Q4_K_M.gguf")


def model(source: ModelSource, **summary: Any) -> ClusterModel:
    """Return a model that one node has."""
    copy = a_model("tiny", source=source, **summary)
    return ClusterModel(summary=copy.summary, copies={"a": copy})


def test_the_source_is_exactly_the_file() -> None:
    """The repository may have changed since."""
    assert pull_source(model(EXACT)) == "ada/tiny/q4/tiny-Q4_K_M.gguf@c0ffee"


@pytest.mark.parametrize(
    ("quantization", "source"), [("Q4_K_M", "ada/tiny:Q4_K_M"), (None, "ada/tiny")], ids=["known", "unknown"]
)
def test_without_a_revision_the_repository_has_to_do(quantization: str | None, source: str) -> None:
    """An older gglib did not keep it."""
    assert pull_source(model(replace(EXACT, revision=None), quantization=quantization)) == source
    assert pull_source(model(replace(EXACT, file=None), quantization=quantization)) == source


@pytest.mark.parametrize("source", [ModelSource(), ModelSource(origin="hub"), replace(EXACT, origin="url")])
def test_other_models_are_not_downloaded(source: ModelSource) -> None:
    """A local file, and one of a URL, which may need a key."""
    assert pull_source(model(source)) is None


def test_a_model_of_a_server_is_not_downloaded() -> None:
    """It has no files."""
    assert pull_source(model(EXACT, backend=UrlBackend(base_url="http://box/v1"))) is None


def test_any_copy_may_have_the_source() -> None:
    """The same file was added by hand on the first node."""
    first, second = a_model("tiny"), a_model("other", source=EXACT)
    found = ClusterModel(summary=first.summary, copies={"a": first, "b": second})
    assert pull_source(found) == "ada/tiny/q4/tiny-Q4_K_M.gguf@c0ffee"


def test_the_size_is_that_of_the_files() -> None:
    """0 if no node knows it."""
    assert pull_bytes(model(EXACT)) == 4 * GIB
    unknown = a_model("tiny", gib=None)
    assert pull_bytes(ClusterModel(summary=unknown.summary, copies={"a": unknown})) == 0


def test_a_node_that_failed_is_left_out_for_a_time() -> None:
    """Twice as long after each failure."""
    failures = PullFailures()
    assert failures.reasons("s", 0.0) == {}
    failures.note("s", "a", "The disk is full.", 0.0)
    assert failures.reasons("s", FIRST_BACKOFF_S - 1) == {"a": "failed to download it (The disk is full)"}
    assert failures.reasons("other", 0.0) == {}
    assert failures.reasons("s", FIRST_BACKOFF_S) == {}
    failures.note("s", "a", "The disk is full.", 100.0)
    assert "a" in failures.reasons("s", 100.0 + 2 * FIRST_BACKOFF_S - 1)
    for _ in range(20):
        failures.note("s", "a", "again", 200.0)
    assert failures.reasons("s", 200.0 + MAX_BACKOFF_S) == {}
    failures.succeeded("s")
    failures.succeeded("s")
    failures.note("s", "a", "again", 0.0)
    assert failures.reasons("s", FIRST_BACKOFF_S) == {}
