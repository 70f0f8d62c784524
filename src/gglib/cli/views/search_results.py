"""The output of ``search`` and ``show`` for repositories: styled lines, and a table of files. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from shlex import quote

from gglib.cli.views import render
from gglib.cli.views.tables import Styled
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.file_names import shown
from gglib.core.gguf_names import FileKind, shard_of
from gglib.core.hub.repository import Gating
from gglib.core.hub.search_results import (
    FileResult,
    RepositoryResult,
    SearchResult,
    VariantResult,
)
from gglib.core.hub.variants import Variant
from gglib.core.memory import Fit, MachineMemory
from gglib.library.variants.choose import no_variant

FIT_STYLES = {Fit.FITS.value: "green", Fit.TIGHT.value: "yellow", Fit.TOO_LARGE.value: "red"}
FILE_COLUMNS = ("SIZE", "QUANT", "FIT", "WHAT", "FILE")
DROPPABLE_COLUMNS = ("WHAT", "FIT", "QUANT")
"""Omitted in this order where the names leave no room for them."""
_SUGGESTED_MARK = "*"
_LEGEND_WIDTH = 20
_INDENT = 2
_GATES = {
    Gating.AUTOMATIC: "gated: accept its terms first",
    Gating.MANUAL: "gated: needs approval by its authors",
}
_FIT_WIDTH = max(map(len, FIT_STYLES)) + 2

Line = list[Styled]


def search_lines(result: SearchResult, *, query: str, width: int) -> Iterator[Line]:
    """Yield the results of a search in lines of ``width``, with the next step."""
    if not result.repositories:
        yield [(_no_results(result, query), "")]
        return
    for found in result.repositories:
        yield from _repository_lines(found, width)
        yield []
    if result.searched is not None:
        yield _plain_line(
            f"Showing matches among the first {result.searched} repositories; there may be more."
        )
    yield from (_plain_line(line) for line in _legend(result.repositories, is_search=True))


def show_lines(found: RepositoryResult, *, width: int) -> Iterator[Line]:
    """Yield the details of one repository; ``file_rows`` has its files."""
    yield from _head_lines(
        found, width, [*_facts(found), f"revision {shown(found.repository.revision)[:12]}"]
    )


def file_rows(found: RepositoryResult) -> list[list[str]]:
    """Return one row per file, with the columns ``FILE_COLUMNS``."""
    return [_file_row(file, is_first=_is_first(file)) for file in found.files()]


def show_legend(found: RepositoryResult) -> list[str]:
    """Return the legend of the file table: the basis of the fit estimate, and the next step."""
    if found.results:
        return _legend([found], is_search=False)
    return [str(no_variant(found.variants, shown(found.repository.repo)))]


def _repository_lines(found: RepositoryResult, width: int) -> Iterator[Line]:
    yield from _head_lines(found, width, _facts(found))
    for fit in Fit:
        units = _variant_labels(found, [result for result in found.results if result.fit is fit], fit)
        if units:
            head = f"{'':<{_INDENT}}{fit.value:<{_FIT_WIDTH}}"
            yield from _wrap((head, FIT_STYLES[fit.value]), units, width)


def _head_lines(found: RepositoryResult, width: int, facts: Sequence[str]) -> Iterator[Line]:
    """Yield the name and the facts, in one line if they fit."""
    name: Styled = (shown(found.repository.repo), "bold")
    joined = ", ".join(facts)
    if len(name[0]) + _INDENT + len(joined) <= min(width, 120):
        yield [name, (f"{'':<{_INDENT}}{joined}", "dim")]
        return
    yield [name]
    yield from _wrap(("  ", ""), [(f"{fact}", "dim") for fact in facts], width)


def _facts(found: RepositoryResult) -> list[str]:
    repository = found.repository
    updated_at = repository.updated_at
    facts = (
        render.count(found.parameter_count) if found.parameter_count else None,
        f"{render.count(repository.downloads)} downloads",
        f"{render.count(repository.likes)} likes",
        None if updated_at is None else f"{datetime.fromtimestamp(updated_at, UTC):%Y-%m-%d}",
        repository.licence,
        "vision" if found.variants.projectors else None,
        _GATES.get(repository.gate),
    )
    return [shown(fact) for fact in facts if fact]


def _variant_labels(found: RepositoryResult, variants: Sequence[VariantResult], fit: Fit) -> list[Styled]:
    """Return the labels of the variants; of those that are too large, only the smallest is named."""
    units = [_variant_label(result, is_suggested=result.variant is found.suggested) for result in variants]
    if fit is Fit.TOO_LARGE and len(units) > 1:
        return [units[0], (f"{len(units) - 1} more", "")]
    return units


def _variant_label(found: VariantResult, *, is_suggested: bool) -> Styled:
    mark = _SUGGESTED_MARK if is_suggested else ""
    return (
        f"{found.variant.label}{mark} {render.size(found.variant.size_bytes)}",
        "bold" if is_suggested else "",
    )


def _wrap(head: Styled, units: Sequence[Styled], width: int) -> Iterator[Line]:
    """Yield the units separated by commas, wrapped between units and aligned with the first."""
    line: Line = [head]
    used = len(head[0])
    for index, (words, style) in enumerate(units):
        text = words if index == len(units) - 1 else f"{words},"
        if len(line) > 1 and used + 1 + len(text) > width:
            yield line
            line, used = [(" " * len(head[0]), "")], len(head[0])
        if len(line) > 1:
            line.append((" ", ""))
            used += 1
        line.append((text, style))
        used += len(text)
    yield line


def _legend(repositories: Sequence[RepositoryResult], *, is_search: bool) -> list[str]:
    usable = [found for found in repositories if _usable(found)]
    first = next((found for found in usable if found.suggested), (usable or repositories)[0])
    repo = first.repository.repo
    return [
        f"Fit estimated for {_context(first)} and {_memory(first.memory)}.",
        *([f"{_SUGGESTED_MARK} marks the suggested quantization."] if first.suggested and is_search else []),
        _pull_hint(first),
        *([f"{'List all files:':<{_LEGEND_WIDTH}}gglib show {quote(repo)}"] if is_search else []),
    ]


def _usable(found: RepositoryResult) -> list[Variant]:
    """Return the variants that fit this machine, smallest first."""
    return [result.variant for result in found.results if result.fit is not Fit.TOO_LARGE]


def _pull_hint(found: RepositoryResult) -> str:
    usable = _usable(found)
    if not usable:
        return "Nothing fits into the free memory: try a smaller model or quantization."
    choice = found.suggested or usable[0]
    target = choice.target(found.repository.repo, found.asked_revision)
    return f"{'Download one:':<{_LEGEND_WIDTH}}gglib pull {quote(target)}"


def _context(found: RepositoryResult) -> str:
    return (
        "the maximum context" if found.context == UNLIMITED_CONTEXT else f"{found.context} tokens of context"
    )


def _memory(memory: MachineMemory) -> str:
    if memory.gpus:
        return f"{render.size(sum(gpu.free_bytes for gpu in memory.gpus))} of free memory on the GPU"
    if memory.available_bytes is None:
        return "an unknown amount of memory"
    return f"{render.size(memory.available_bytes)} of free memory"


def _no_results(result: SearchResult, query: str) -> str:
    if result.searched is not None:
        return (
            f"'{shown(query)}' has no match that is small enough among the first {result.searched} repositories: "
            "refine the query, or change --sort."
        )
    if result.left_out:
        many = "1 repository" if result.left_out == 1 else f"{result.left_out} repositories"
        what = "that is small enough" if result.too_large else "that gglib can use"
        return f"'{shown(query)}' matches {many}, with nothing to pull {what}."
    return f"No GGUF model on the hub matches '{shown(query)}': try fewer or different words."


def _is_first(file: FileResult) -> bool:
    return file.result is not None and file.file is file.result.variant.first


def _file_row(file: FileResult, *, is_first: bool) -> list[str]:
    found = file.result if is_first else None
    return [
        render.size(file.file.size_bytes),
        render.text(file.result and file.result.variant.quantization),
        found.fit.value if found else "-",
        _file_kind(file),
        shown(file.file.name) if file.is_unsafe else file.file.name,
    ]


def _file_kind(file: FileResult) -> str:
    if file.is_unsafe and file.kind is not FileKind.OTHER:
        return "unsafe name"
    shard = shard_of(file.file.name)
    if file.kind is FileKind.SHARD and shard is not None:
        return f"shard {shard.number}/{shard.count}" if file.result else "incomplete"
    return file.kind.value


def _plain_line(line: str) -> Line:
    return [(line, "")]
