"""What ``make dist`` refuses to publish."""

import pytest
from scripts.dist_checks import metadata_faults, sdist_faults, tag_faults, wheel_faults

SOURCES = (
    "pyproject.toml",
    "src/gglib/__init__.py",
    "src/gglib/proxy/web/page/lib/api_types.d.ts",
    "src/gglib/py.typed",
    "tests/test_a.py",
)
WHEEL = (
    "gglib/__init__.py",
    "gglib/py.typed",
    "gglib-1.0.dist-info/METADATA",
    "gglib-1.0.dist-info/RECORD",
    "gglib-1.0.dist-info/WHEEL",
    "gglib-1.0.dist-info/entry_points.txt",
    "gglib-1.0.dist-info/licenses/LICENSE",
)
METADATA = b"""\
Metadata-Version: 2.4
Name: gglib
Version: 1.0
Description-Content-Type: text/markdown

# gglib
"""


def test_the_package_alone_is_a_wheel() -> None:
    """Types of the page's checker are not in it."""
    assert list(wheel_faults(WHEEL, sources=SOURCES, version="1.0")) == []


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ((*WHEEL, "tests/test_a.py"), "The wheel has tests/test_a.py, which does not belong there."),
        (WHEEL[1:], "The wheel lacks gglib/__init__.py."),
        (WHEEL[:-1], "The wheel lacks gglib-1.0.dist-info/licenses/LICENSE."),
    ],
    ids=("tests", "no module", "no licence"),
)
def test_a_wrong_file_of_a_wheel_is_named(names: tuple[str, ...], fault: str) -> None:
    """One sentence for each."""
    assert list(wheel_faults(names, sources=SOURCES, version="1.0")) == [fault]


def test_a_package_without_its_mark_of_types_is_a_fault() -> None:
    """A wheel that equals the checkout could still lack it."""
    sources = tuple(name for name in SOURCES if not name.endswith("py.typed"))
    (fault,) = wheel_faults((WHEEL[0], *WHEEL[2:]), sources=sources, version="1.0")
    assert "py.typed" in fault


def test_a_source_archive_has_every_file_of_the_checkout() -> None:
    """And its metadata; nothing else."""
    names = [f"gglib-1.0/{name}" for name in (*SOURCES, "PKG-INFO")]
    assert list(sdist_faults(names, sources=SOURCES, version="1.0")) == []
    assert list(sdist_faults([*names[1:], "gglib-1.0/notes"], sources=SOURCES, version="1.0")) == [
        "The source archive lacks gglib-1.0/pyproject.toml.",
        "The source archive has gglib-1.0/notes, which does not belong there.",
    ]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (METADATA.replace(b"1.0", b"one"), "The metadata is invalid: 'one' is invalid for 'version'."),
        (METADATA.replace(b"text/markdown", b"text/plain"), "not marked as Markdown"),
        (METADATA + b"[a](docs/a.md)", "relative link: docs/a.md"),
        (METADATA + b"![a](a.png)", "relative link: a.png"),
        (METADATA + b"- [b][1]\n\n[1]: ../b", "relative link: ../b"),
    ],
    ids=("version", "type", "link", "picture", "reference"),
)
def test_bad_metadata_is_refused(metadata: bytes, words: str) -> None:
    """By the specification's rules, and links that lead nowhere on a registry's page."""
    (fault,) = metadata_faults(metadata)
    assert words in fault


def test_good_metadata_has_no_fault() -> None:
    """Absolute links may be there."""
    assert list(metadata_faults(METADATA + b"[a](https://example.org) <mailto:a@example.org>")) == []


@pytest.mark.parametrize(
    ("tags", "is_required", "faults"),
    [
        ((), False, 0),
        (("v1.0",), True, 0),
        ((), True, 1),
        (("v1.1",), False, 1),
        (("v1.1", "v1.0"), True, 1),
    ],
)
def test_a_tag_is_that_of_the_version(tags: tuple[str, ...], is_required: bool, faults: int) -> None:  # noqa: FBT001
    """A commit between releases needs none."""
    assert len(list(tag_faults(tags, version="1.0", is_required=is_required))) == faults
