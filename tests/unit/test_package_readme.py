"""The description of the package has nothing that works in a checkout only."""

import pytest
from scripts.dist_checks import metadata_faults
from scripts.package_readme import NOTE, README, description


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        ("See [the page](docs/a.md#b).", "See the page."),
        ("See [the page](https://example.org/a).", "See [the page](https://example.org/a)."),
        ("[write](mailto:a@example.org)", "[write](mailto:a@example.org)"),
        ("# t\n\n![a](docs/a.svg) ![b](docs/b.svg)\n\nText", "# t\n\nText"),
        ("![a](https://example.org/a.png)", "![a](https://example.org/a.png)"),
        ("```sh\necho [a](b)\n```", "```sh\necho [a](b)\n```"),
        ("[a](b)\n```sh\n[a](b)\n```\n[a](b)", "a\n```sh\n[a](b)\n```\na"),
    ],
    ids=("link", "absolute link", "mail", "pictures", "absolute picture", "code", "code between"),
)
def test_relative_links_become_text(readme: str, expected: str) -> None:
    """Pictures go, code and absolute addresses stay."""
    assert description(readme) == f"{expected}\n\n{NOTE}\n"


def test_the_readme_has_no_relative_link_left() -> None:
    """As the check of ``make dist`` sees it, which parses Markdown."""
    text = description(README.read_text(encoding="utf-8"))
    head = "Metadata-Version: 2.4\nName: gglib\nVersion: 1.0\nDescription-Content-Type: text/markdown\n\n"
    assert list(metadata_faults((head + text).encode())) == []
    assert text.startswith("# gglib\n\nOne OpenAI-compatible address")
    assert "uv tool install" in text
