"""What ``make dist`` demands of a release: the files of its archives, its metadata, and its tag. Pure.

Each function yields a sentence for each fault.
"""

from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token
from packaging.metadata import Metadata

PACKAGE = "src/gglib/"
NOT_IN_WHEEL = ".d.ts"
"""Ends of the files of the package that only the type checker of the page reads."""
OF_BUILD = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
"""Files of the directory ``gglib-VERSION.dist-info``."""
_ABSOLUTE = ("https://", "http://", "mailto:")


def wheel_faults(names: Iterable[str], *, sources: Iterable[str], version: str) -> Iterator[str]:
    """Compare the files of a wheel with those of the checkout, by their paths: the package and no others."""
    package = {
        name.removeprefix("src/")
        for name in sources
        if name.startswith(PACKAGE) and not name.endswith(NOT_IN_WHEEL)
    }
    expected = package | {f"gglib-{version}.dist-info/{name}" for name in OF_BUILD}
    if "gglib/py.typed" not in package:
        yield "The package lacks gglib/py.typed: type checkers would ignore its types."
    yield from _differences("wheel", set(names), expected)


def sdist_faults(names: Iterable[str], *, sources: Iterable[str], version: str) -> Iterator[str]:
    """Compare the files of a source archive with those of the checkout: all of them, and PKG-INFO."""
    expected = {f"gglib-{version}/{name}" for name in (*sources, "PKG-INFO")}
    yield from _differences("source archive", set(names), expected)


def metadata_faults(metadata: bytes) -> Iterator[str]:
    """Check the metadata against the specification, as registries do, and its description for links that break."""
    try:
        found = Metadata.from_email(metadata, validate=True)
    except ExceptionGroup as group:
        yield from (f"The metadata is invalid: {fault}." for fault in group.exceptions)
        return
    if found.description_content_type != "text/markdown":
        yield "The description of the package is not marked as Markdown."
    for target in _targets(MarkdownIt().parse(found.description or "")):
        if not target.startswith(_ABSOLUTE):
            yield f"The description of the package has a relative link: {target}."


def tag_faults(tags: Iterable[str], *, version: str, is_required: bool) -> Iterator[str]:
    """Compare the tags of the commit that begin with ``v`` with the version; one is needed if ``is_required``."""
    found = sorted(tags)
    expected = f"v{version}"
    for tag in found:
        if tag != expected:
            yield f"The tag {tag} is not that of version {version}: change src/gglib/core/version.py, or the tag."
    if is_required and not found:
        yield f"The commit has no tag: tag it with 'git tag {expected}'."


def _differences(what: str, found: set[str], expected: set[str]) -> Iterator[str]:
    yield from (f"The {what} lacks {name}." for name in sorted(expected - found))
    yield from (f"The {what} has {name}, which does not belong there." for name in sorted(found - expected))


def _targets(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        target = token.attrs.get("href", token.attrs.get("src"))
        if target is not None:
            yield str(target)
        yield from _targets(token.children or ())
