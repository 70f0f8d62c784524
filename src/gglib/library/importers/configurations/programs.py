"""The programs whose configuration files are imported, and which of them a file is of. Pure."""

from pathlib import PurePath

LLAMA_SWAP, LLAMA_CPP = "llama-swap", "llama-cpp"
PROGRAMS = (LLAMA_SWAP, LLAMA_CPP)
TITLES = {LLAMA_SWAP: "llama-swap", LLAMA_CPP: "llama.cpp's router"}
_SUFFIXES = {".yaml": LLAMA_SWAP, ".yml": LLAMA_SWAP, ".ini": LLAMA_CPP}


def program_of(file: str) -> str | None:
    """Return the program of a configuration file by its name; None if its name is not that of one."""
    return _SUFFIXES.get(PurePath(file).suffix.lower())
