"""Finds llama-server in an unpacked archive, and what it was built for."""

import os
from collections.abc import Iterator
from pathlib import Path

PROGRAM = "llama-server"
_LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")
_BACKEND_LIBRARIES = {
    "cuda": "cuda",
    "hip": "rocm",
    "vulkan": "vulkan",
    "sycl": "sycl",
    "metal": "metal",
    "openvino": "openvino",
}


def find_program(directory: Path) -> Path | None:
    """Return the path of llama-server, the one nearest to the top; None if there is none."""
    found = [path for path in _files(directory) if path.name == PROGRAM and path.is_file()]
    return min(found, key=lambda path: (len(path.parts), path), default=None)


def backend_of(directory: Path) -> str:
    """Return the backend whose library is among the files (``libggml-vulkan.so``); ``cpu`` if there is none."""
    names = {path.name for path in _files(directory)}
    for word, backend in _BACKEND_LIBRARIES.items():
        if any(name.removeprefix("lib").startswith(f"ggml-{word}.") for name in names):
            return backend
    return "cpu"


def add_libraries(directory: Path, program: Path) -> int:
    """Move the libraries below ``directory`` beside the program, which looks for them there; return how many.

    Libraries that the program has already stay as they are.
    """
    moved = 0
    for path in list(_files(directory)):
        target = program.parent / path.name
        if _is_library(path.name) and not os.path.lexists(target):
            path.rename(target)
            moved += 1
    return moved


def _files(directory: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(directory):
        for name in names:
            yield Path(parent, name)


def _is_library(name: str) -> bool:
    return name.endswith(_LIBRARY_SUFFIXES) or ".so." in name
