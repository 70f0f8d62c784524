"""The files that engine arguments name."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gglib.core.errors import EngineArgumentError
from gglib.runtime.engines.llama_cpp.options.csv_lists import join_csv, scaled_files, split_csv
from gglib.runtime.engines.llama_cpp.options.option import EngineOption, Kind
from gglib.runtime.engines.llama_cpp.options.parsing import parse_engine_args

_ADDED = ("--control-vector", "--control-vector-scaled", "--lora", "--lora-scaled")
"""The options whose files are loaded into the model."""


def with_absolute_files(arguments: Sequence[str], directory: Path) -> tuple[str, ...]:
    """Return the arguments with absolute paths: the engine's working directory differs from the user's.

    ``~`` is expanded. Arguments without files are unchanged. Raises like ``parse_engine_args``.
    """
    result: list[str] = []
    for option, text in parse_engine_args(arguments):
        if option.is_switch:
            result.append(option.off_names[0] if text == "off" else option.name)
        elif option.kind is Kind.RANGE:
            result += [option.name, *text.split()]
        else:
            result += [option.name, _absolute(option, text, directory) if option.names_files else text]
    return (
        tuple(result)
        if any(option.names_files for option, _ in parse_engine_args(arguments))
        else tuple(arguments)
    )


def named_files(arguments: Sequence[str]) -> Iterator[tuple[EngineOption, Path]]:
    """Yield each file with the option that names it. Raises like ``parse_engine_args``."""
    for option, text in parse_engine_args(arguments):
        if option.names_files:
            yield from ((option, path) for path, _ in _paths(option, text))


def added_files(arguments: Sequence[str]) -> tuple[Path, ...]:
    """Return the adapters and control vectors, which the engine keeps in memory. Raises like ``parse_engine_args``."""
    return tuple(path for option, path in named_files(arguments) if option.name in _ADDED)


def draft_model(arguments: Sequence[str]) -> Path | None:
    """Return the draft model; None without one. Raises like ``parse_engine_args``."""
    paths = [path for option, path in named_files(arguments) if option.name == "--model-draft"]
    return paths[-1] if paths else None


def check_files(arguments: Sequence[str]) -> None:
    """Raise ``EngineArgumentError`` for a file that is missing or no file. Blocks."""
    for option, path in named_files(arguments):
        why = _missing_reason(path)
        if why is not None:
            raise EngineArgumentError(f"The file '{path}' of '{option.name}' {why}.")


def _missing_reason(path: Path) -> str | None:
    try:
        if path.is_file():
            return None
        return "is a directory" if path.is_dir() else "does not exist"
    except OSError as error:
        return f"is not accessible ({error.strerror})"


def _paths(option: EngineOption, text: str) -> list[tuple[Path, str]]:
    """Return the paths of a value, each with its scale as text, which is empty if it has none."""
    match option.kind:
        case Kind.FILES:
            return [(Path(item), "") for item in split_csv(text)]
        case Kind.SCALED_FILES:
            return [(Path(path), f":{scale:g}") for path, scale in scaled_files(text)]
    return [(Path(text), "")]


def _absolute(option: EngineOption, text: str, directory: Path) -> str:
    found = [(os.path.expanduser(path), scale) for path, scale in _paths(option, text)]  # noqa: PTH111 - never raises
    items = [f"{directory / path}{scale}" for path, scale in found]
    return items[0] if option.kind is Kind.FILE else join_csv(items)
