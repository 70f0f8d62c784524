"""What may be shown of the source of a model."""

import pytest

from gglib.core.hub.shown_source import has_query, pull_target, shown_target, shown_url, without_query
from gglib.core.models import ModelSource, ModelSummary

PLAIN = "https://example.org/files/m.gguf"
SIGNED = f"{PLAIN}?signature=secret#part"


@pytest.mark.parametrize(
    "address", [SIGNED, f"{PLAIN}?a=1?b", f"{PLAIN}#a?b", f"{PLAIN}#part", f"{PLAIN}?", f"{PLAIN}#"]
)
def test_a_query_and_a_fragment_are_cut_off(address: str) -> None:
    """A query may be a signature."""
    assert without_query(address) == PLAIN
    assert has_query(address)
    assert not has_query(PLAIN)


@pytest.mark.parametrize(("url", "shown"), [(SIGNED, PLAIN), (PLAIN, PLAIN), (None, None)])
def test_the_url_of_a_source_is_shown_without_its_query(url: str | None, shown: str | None) -> None:
    """A model of a repository has no URL."""
    assert shown_url(ModelSource(url=url)) == shown


@pytest.mark.parametrize(
    ("target", "shown"), [(SIGNED, PLAIN), ("ada/tiny:Q4?x", "ada/tiny:Q4?x"), ("a#b", "a#b")]
)
def test_only_an_address_has_a_query(target: str, shown: str) -> None:
    """Other pull targets are shown as they are."""
    assert shown_target(target) == shown


@pytest.mark.parametrize(
    ("source", "is_downloaded", "target"),
    [
        (ModelSource(origin="hub", repo="ada/coder", file="a.gguf"), True, "ada/coder/a.gguf"),
        (ModelSource(origin="hub", repo="ada/coder", file="a.gguf"), False, "ada/coder/a.gguf"),
        (
            ModelSource(origin="hub", repo="ada/coder", file="a.gguf", asked_revision="v1"),
            True,
            "ada/coder/a.gguf@v1",
        ),
        (ModelSource(origin="hub", repo="ada/coder"), True, None),
        (ModelSource(origin="starter", file="a.gguf"), True, None),
        (ModelSource(origin="ollama", repo="ada/coder", file="a"), False, None),
        (ModelSource(origin="ollama", repo="ada/coder", file="a"), True, "ada/coder/a"),
        (ModelSource(origin="url", url=PLAIN, file="m.gguf"), True, PLAIN),
        (ModelSource(origin="url", url=SIGNED, file="m.gguf"), True, None),
        (ModelSource(origin="url", file="m.gguf"), True, None),
        (ModelSource(origin="hub", url=PLAIN), True, None),
    ],
)
def test_what_to_pull_is_known_where_it_may_be_shown(
    source: ModelSource, target: str | None, *, is_downloaded: bool
) -> None:
    """A file of a repository at the requested revision, or a URL without a query; not a name in another program."""
    model = ModelSummary(id=1, name="m", source=source, is_downloaded=is_downloaded)
    assert pull_target(model) == target
