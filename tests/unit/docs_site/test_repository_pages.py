"""Links of the repository, as the documentation site has them."""

import pytest
from scripts.docs_site.repository_pages import repository_path, site_path, title_of_page, with_site_links

TITLES = {
    "history.md": "Requests and usage",
    "adr/README.md": "Decisions",
    "bench/results/swap.md": "Swaps",
    "bench/results/swap.svg": "",
    "packages/http.md": "HTTP/1.1",
    "index.md": "gglib",
}


def relinked(markdown: str, path: str = "docs/api.md") -> str:
    """Return a page's links on a site with the pages above."""
    return with_site_links(markdown, path, TITLES.get)


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("docs/api.md", "api.md"),
        ("docs/adr/README.md", "adr/README.md"),
        ("CHANGELOG.md", "project/changelog.md"),
        ("src/gglib/http/README.md", "packages/http.md"),
        ("bench/results/swap.md", "bench/results/swap.md"),
    ],
)
def test_a_page_has_one_path_on_the_site(path: str, uri: str) -> None:
    """And the way back leads to its source."""
    assert site_path(path) == uri
    assert repository_path(uri) == path


@pytest.mark.parametrize(
    "path", ["src/gglib/http/sse.py", "bench/proxies.py", "Makefile", "src/gglib/http/client/README.md"]
)
def test_other_files_are_not_on_the_site(path: str) -> None:
    """Sources are not published."""
    assert site_path(path) is None


def test_links_that_lead_out_of_docs_stay_on_the_site() -> None:
    """From a page of ``docs/`` and from one outside it, with their anchors."""
    assert relinked("[a](../bench/results/swap.md#b)") == "[a](bench/results/swap.md#b)"
    assert relinked("[a](../../bench/results/swap.md)", "docs/adr/x.md") == "[a](../bench/results/swap.md)"
    assert relinked("[a](docs/history.md)", "CHANGELOG.md") == "[a](../history.md)"
    assert relinked("![a](../bench/results/swap.svg)") == "![a](bench/results/swap.svg)"
    assert relinked("[a](../README.md)") == "[a](index.md)"


def test_links_to_sources_become_their_paths() -> None:
    """Unless the text is the path already."""
    assert relinked("see [the port](../src/gglib/core/x.py)") == "see the port (`src/gglib/core/x.py`)"
    assert relinked("[`src/gglib/core/x.py`](../src/gglib/core/x.py)") == "`src/gglib/core/x.py`"
    assert relinked("[a](../bench/results/gone.md)") == "a (`bench/results/gone.md`)"


def test_names_of_files_become_titles() -> None:
    """Only where the text of a link is the name of a page."""
    assert relinked("[history.md](history.md#a)") == "[Requests and usage](history.md#a)"
    assert relinked("[of history.md](history.md)") == "[of history.md](history.md)"


@pytest.mark.parametrize(
    "markdown",
    [
        "[a](https://example.com/x.md)",
        "[a](#part)",
        "[a](mailto:a@example.com)",
        "[gone](gone.md)",
        "```\n[a](../Makefile)\n```\n",
        "   ```sh\n   x[a](../Makefile)\n   ```\n",
    ],
)
def test_everything_else_stays(markdown: str) -> None:
    """Other servers, parts of the page, code; and pages that are missing, which the strict build reports."""
    assert relinked(markdown) == markdown


def test_links_around_code_are_written() -> None:
    """Before and after a fence."""
    link = "[a](../bench/results/swap.md)"
    fenced = f"{link}\n```\n{link}\n```\n{link}\n"
    assert relinked(fenced).count("](bench/results/swap.md)") == 2


def test_a_page_that_is_not_on_the_site_is_refused() -> None:
    """Its links would lead nowhere."""
    with pytest.raises(ValueError, match="Makefile is not a page"):
        relinked("[a](b.md)", "Makefile")


def test_the_title_is_the_first_heading() -> None:
    """Of the first level."""
    assert title_of_page("text\n# One\n\n# Two\n") == "One"
    assert title_of_page("## Two\n") == ""
