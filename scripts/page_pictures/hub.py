"""The hub of the example: the repositories of the models, and some that a search finds."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from scripts.page_pictures.models import MODELS, write_model

from gglib.testing import LocalHub
from gglib.testing.local_hub import Content, Fault, sparse_file

_BITS = {"Q4_K_M": 4.88, "Q5_K_M": 5.69, "Q6_K": 6.58, "Q8_0": 8.52}
"""Bits for each weight."""
_OTHERS = (
    ("Qwen/Qwen3-8B-GGUF", "Qwen3-8B", 8.19e9, 402_700),
    ("Qwen/Qwen3-14B-GGUF", "Qwen3-14B", 14.77e9, 190_300),
    ("bartowski/Qwen_Qwen3-4B-Instruct-2507-GGUF", "Qwen_Qwen3-4B-Instruct-2507", 4.02e9, 118_400),
    ("unsloth/Qwen3-32B-GGUF", "Qwen3-32B", 32.76e9, 96_800),
)
_SLOW_REPO = "Qwen/Qwen3-Embedding-0.6B-GGUF"
_SLOW_FILE = "Qwen3-Embedding-0.6B-Q8_0.gguf"
SLOW_DOWNLOAD = f"{_SLOW_REPO}:Q8_0"
_SLOW_BYTES = 639_150_592
_SLOW_BYTES_PER_S = 0.5e6
"""Of each connection."""


def fill(hub: LocalHub, directory: Path) -> Mapping[str, str]:
    """Add the repositories; return the commits that the models of the catalogue are from.

    ``directory`` gets the file that is downloaded in the pictures.
    """
    commits = {}
    for model in MODELS:
        shown = {"downloads": model.downloads, "likes": model.downloads // 300, "licence": "apache-2.0"}
        files = {model.file: sparse_file(model.size, model.sha256)}
        commits[model.repo] = hub.add_repository(model.repo, files, **shown, gguf=_header(model.parameters))
        if model.is_outdated:
            hub.commit(model.repo, {model.file: sparse_file(model.size + 2_359_296, _hash("newer"))})
    for repo, name, parameters, downloads in _OTHERS:
        files = {
            f"{name}-{kind}.gguf": sparse_file(round(parameters * bits / 8), _hash(name + kind))
            for kind, bits in _BITS.items()
        }
        shown = {"downloads": downloads, "likes": downloads // 300, "licence": "apache-2.0"}
        hub.add_repository(repo, files, **shown, gguf=_header(round(parameters)))
    path = write_model(directory / _SLOW_FILE, replace(MODELS[0], size=_SLOW_BYTES, parameters=595_776_512))
    slow = Content(path=path, given_sha256=_hash(_SLOW_FILE))
    hub.add_repository(_SLOW_REPO, {_SLOW_FILE: slow}, downloads=88_000, gguf=_header(595_776_512))
    hub.inject_fault(Fault(bytes_per_s=_SLOW_BYTES_PER_S), file=_SLOW_FILE)
    return commits


def _header(parameters: int) -> Mapping[str, object]:
    """Return what the hub shows of a repository's GGUF files."""
    return {"total": parameters, "architecture": "qwen3", "context_length": 40_960}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
