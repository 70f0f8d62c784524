"""The views of search and show."""

import io
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from gglib.cli.views import render
from gglib.cli.views.search_results import (
    DROPPABLE_COLUMNS,
    FILE_COLUMNS,
    Line,
    file_rows,
    search_lines,
    show_legend,
    show_lines,
)
from gglib.cli.views.tables import fit_columns, table_lines
from gglib.core.hub.repository import Gating, HubFile, HubRepository
from gglib.core.hub.search_results import RepositoryResult, SearchResult
from gglib.core.memory import GpuMemory, MachineMemory
from gglib.core.models import GgufFacts
from gglib.library.search import ModelFinder, repository_result
from gglib.library.variants.find import find_variants
from gglib.testing import FakeHub

GB = 10**9
MEMORY = MachineMemory(total_bytes=64 * GB, available_bytes=12 * GB)
LADDER = {"m-Q4_K_M.gguf": 5 * GB, "m-Q8_0.gguf": 9 * GB, "m-F16.gguf": 170 * GB, "m-F32.gguf": 340 * GB}


def found(
    sizes: Mapping[str, int], repo: str = "o/m-GGUF", *, memory: MachineMemory = MEMORY, **metadata: Any
) -> RepositoryResult:
    """Return a repository judged for a machine."""
    files = tuple(HubFile(name=name, size_bytes=size) for name, size in sizes.items())

    def read_facts(start: bytes) -> GgufFacts:
        raise NotImplementedError

    return repository_result(
        HubRepository(repo=repo, revision="c" * 40, files=files, **metadata),
        find_variants(files),
        None,
        finder=ModelFinder(hub=FakeHub(), memory=memory, context=8192, slots=4, read_facts=read_facts),
        max_size_bytes=None,
    )


def rows_of(printed: Iterable[Line]) -> list[str]:
    """Return lines without their styles."""
    return ["".join(words for words, _ in line) for line in printed]


def lines(*repositories: RepositoryResult, width: int = 80, left_out: int = 0, **metadata: Any) -> list[str]:
    """Return the output of a search."""
    result = SearchResult(repositories=repositories, memory=MEMORY, left_out=left_out, **metadata)
    return rows_of(search_lines(result, query="small coder", width=width))


def test_repository_is_a_head_and_its_quantizations_by_fit() -> None:
    """The fit is in words, so that it is readable without colours; of the too large ones the smallest is shown."""
    repository = found(
        LADDER, parameter_count=8 * GB, downloads=412_345, likes=130, updated_at=1_728_400_000, licence="mit"
    )
    assert lines(repository) == [
        "o/m-GGUF  8.0B, 412K downloads, 130 likes, 2024-10-08, mit",
        "  fits       Q4_K_M* 5.0 GB, Q8_0 9.0 GB",
        "  too large  F16 170.0 GB, 1 more",
        "",
        "Fit estimated for 8192 tokens of context and 12.0 GB of free memory.",
        "* marks the suggested quantization.",
        "Download one:       gglib pull o/m-GGUF:Q4_K_M",
        "List all files:     gglib show o/m-GGUF",
    ]


def test_gating_and_projectors_are_shown() -> None:
    """Before the user starts a download that is refused."""
    sizes = {"m-Q8_0.gguf": GB, "mmproj-F16.gguf": GB}
    automatic = lines(found(sizes, gate=Gating.AUTOMATIC), width=200)[0]
    assert "vision" in automatic
    assert "accept its terms" in automatic
    assert "needs approval by its authors" in lines(found(sizes, gate=Gating.MANUAL), width=200)[0]


def test_ambiguous_choice_is_not_marked() -> None:
    """Several models, or none that fits: the first is the example command."""
    several = lines(found({"1B-Q8_0.gguf": GB, "3B-Q8_0.gguf": 3 * GB}))
    assert not any("*" in line for line in several)
    assert "Download one:       gglib pull o/m-GGUF/1B-Q8_0.gguf" in several
    none = lines(found({"m-F16.gguf": 170 * GB}), found(LADDER, "o/other"))
    assert "Download one:       gglib pull o/other:Q4_K_M" in none


def test_gpu_is_named() -> None:
    """Its memory is what the model has to fit into."""
    memory = MachineMemory(
        total_bytes=64 * GB,
        available_bytes=32 * GB,
        gpus=(GpuMemory(name="one", total_bytes=8 * GB, free_bytes=7 * GB),),
    )
    assert any("7.0 GB of free memory on the GPU" in line for line in lines(found(LADDER, memory=memory)))
    unknown = MachineMemory(total_bytes=None, available_bytes=None)
    assert any("unknown amount of memory" in line for line in lines(found(LADDER, memory=unknown)))


def test_empty_result_has_advice() -> None:
    """One sentence for each reason."""
    assert lines() == ["No GGUF model on the hub matches 'small coder': try fewer or different words."]
    assert lines(left_out=1, too_large=1) == [
        "'small coder' matches 1 repository, with nothing to pull that is small enough."
    ]
    assert "2 repositories" in lines(left_out=2, too_large=1)[0]
    assert lines(left_out=1) == [
        "'small coder' matches 1 repository, with nothing to pull that gglib can use."
    ]
    assert "among the first 100 repositories" in lines(left_out=100, too_large=9, searched=100)[0]


def test_truncated_search_is_reported() -> None:
    """If fewer are shown than requested, and the hub may have more."""
    assert any("among the first 100 repositories" in line for line in lines(found(LADDER), searched=100))
    assert not any("of the first" in line for line in lines(found(LADDER)))


@given(
    st.dictionaries(
        st.sampled_from(
            [f"m-{label}.gguf" for label in ("Q2_K", "Q4_K_M", "UD-Q4_K_XL", "Q8_0", "IQ1_S", "F16")]
        ),
        st.integers(1, 30 * GB),
        min_size=1,
    ),
    st.integers(3, 40),
    st.integers(60, 120),
    st.sampled_from(Gating),
)
def test_no_line_is_wider_than_the_terminal(
    sizes: dict[str, int], name_length: int, width: int, gate: Gating
) -> None:
    """With any result, and nothing is lost: every model that fits is listed with its size."""
    repository = found(sizes, "o/" + "n" * name_length, downloads=10**9, licence="apache-2.0", gate=gate)
    shown = rows_of(
        search_lines(
            SearchResult(repositories=(repository,), memory=MEMORY, left_out=0), query="m", width=width
        )
    )
    legend_start = shown.index("")
    assert all(len(line) <= width for line in shown[:legend_start])
    text = " ".join(line.strip() for line in shown)
    for model in repository.results[:1]:
        assert model.variant.label in text
    assert render.size(repository.results[0].variant.size_bytes) in text


def test_lines_are_filled_to_the_width() -> None:
    """Each line fits its width, and some line reaches it."""
    repository = found(
        {f"m-Q{bits}_{kind}.gguf": bits * GB for bits in (2, 3, 4) for kind in ("K", "K_S", "K_M")}
    )
    widest = {width: max(map(len, lines(repository, width=width)[1:-5])) for width in range(40, 100)}
    assert all(length <= width for width, length in widest.items())
    assert any(length == width for width, length in widest.items())


def test_hub_text_cannot_control_the_terminal() -> None:
    """Names of licences are foreign text."""
    text = "\n".join(lines(found(LADDER, licence="\x1b[2J\u202e")))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_files_are_rows_with_their_kind() -> None:
    """A model's fit is shown once, with its first file."""
    repository = found(
        {
            "README.md": 5_000,
            "d/m-Q8_0-00001-of-00002.gguf": 90 * GB,
            "d/m-Q8_0-00002-of-00002.gguf": 90 * GB,
            "m-Q4_0.gguf": GB,
            "mmproj-F16.gguf": GB,
            "x-Q6_K-00001-of-00002.gguf": GB,
            "m.gguf.part1of2": GB,
            "\x1b[2J.gguf": GB,
        }
    )
    assert [dict(zip(FILE_COLUMNS, row, strict=True)) for row in file_rows(repository)] == [
        {"SIZE": size, "QUANT": quant, "FIT": fit, "WHAT": what, "FILE": file}
        for size, quant, fit, what, file in (
            ("1.0 GB", "Q4_0", "fits", "model", "m-Q4_0.gguf"),
            ("90.0 GB", "Q8_0", "too large", "shard 1/2", "d/m-Q8_0-00001-of-00002.gguf"),
            ("90.0 GB", "Q8_0", "-", "shard 2/2", "d/m-Q8_0-00002-of-00002.gguf"),
            ("1.0 GB", "-", "-", "unsafe name", r"\x1b[2J.gguf"),
            ("5 kB", "-", "-", "other", "README.md"),
            ("1.0 GB", "-", "-", "piece", "m.gguf.part1of2"),
            ("1.0 GB", "-", "-", "mmproj", "mmproj-F16.gguf"),
            ("1.0 GB", "-", "-", "incomplete", "x-Q6_K-00001-of-00002.gguf"),
        )
    ]


def test_single_repository_has_its_revision_and_one_command() -> None:
    """Without a model, the reason is shown."""
    repository = found(LADDER)
    assert rows_of(show_lines(repository, width=200)) == [
        "o/m-GGUF  0 downloads, 0 likes, revision cccccccccccc"
    ]
    assert show_legend(repository)[-1] == "Download one:       gglib pull o/m-GGUF:Q4_K_M"
    assert show_legend(found({"README.md": 1})) == [
        "o/m-GGUF has no GGUF model: 'gglib search m' may find a repository that has it as GGUF."
    ]


def test_no_command_is_shown_if_nothing_fits() -> None:
    """A command that would be refused is not shown; of several repositories one that fits is the example."""
    large = found({"m-F16.gguf": 170 * GB})
    for output in (lines(large), show_legend(large)):
        assert not any("gglib pull" in line for line in output)
        assert any(line.startswith("Nothing fits") for line in output)
    several = {"1B-Q8_0.gguf": GB, "3B-Q8_0.gguf": 3 * GB}
    assert "Download one:       gglib pull o/two/1B-Q8_0.gguf" in lines(large, found(several, "o/two"))


def test_command_is_quoted() -> None:
    """Names of files may have spaces."""
    (line,) = [line for line in show_legend(found({"my model.gguf": GB})) if "gglib pull" in line]
    assert line.endswith("gglib pull 'o/m-GGUF/my model.gguf'")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_colours_are_for_terminals(is_terminal: bool) -> None:  # noqa: FBT001
    """A pipe gets the same words."""
    result = SearchResult(repositories=(found(LADDER),), memory=MEMORY, left_out=0)
    out = io.StringIO()
    colours: Literal["standard", "auto"] = "standard" if is_terminal else "auto"
    console = Console(file=out, force_terminal=is_terminal, color_system=colours, soft_wrap=True)
    for line in search_lines(result, query="m", width=80):
        console.print(Text.assemble(*line))
    green = "\x1b[32m  fits       \x1b[0m"
    assert (green in out.getvalue()) is is_terminal
    assert out.getvalue().count("  fits       ") == 1


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (140, FILE_COLUMNS),
        (100, FILE_COLUMNS),
        (80, ("SIZE", "QUANT", "FIT", "FILE")),
        (60, ("SIZE", "FILE")),
        (40, ("SIZE", "FILE")),
    ],
)
def test_names_of_files_are_whole(width: int, columns: tuple[str, ...]) -> None:
    """They are copied into the command of a pull."""
    name = "Qwen2.5-Coder-32B-Instruct-abliterated-Q4_K_M.gguf"
    rows = file_rows(found({name: 20 * GB}))
    kept, cells = fit_columns(FILE_COLUMNS, rows, width, droppable=DROPPABLE_COLUMNS)
    assert tuple(kept) == columns
    assert ["".join(text for text, _ in line) for line in table_lines(kept, cells, width)][1].endswith(
        f" {name}"
    )
