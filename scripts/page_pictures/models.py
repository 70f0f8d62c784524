"""The models of the example: files with the headers of published models, and a hole where their weights would be."""

import hashlib
import os
import struct
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gglib.core.models import ModelSettings, ModelSource, NewModel
from gglib.db import SqliteCatalog
from gglib.gguf.reader import read_gguf

_FILE = Path(__file__).with_name("models.toml")
_U32, _TEXT = 4, 8
"""Types of values in a GGUF header."""
_BLOCK = 256
_TYPES = {"F16": (1, 1), "Q8_0": (8, 7), "Q4_K_M": (12, 15), "MXFP4": (39, 38)}
"""Types of the tensors and of the file, by quantization."""
_CHAT = "{% for message in messages %}{{ message.content }}{% endfor %}"
_TOOLS = f"{_CHAT}{{% if tools %}}{{{{ tools }}}}{{% endif %}}"
_TEMPLATES = {"": "", "chat": _CHAT, "tools": _TOOLS, "thinking": f"{_TOOLS}<think>"}
_RANK = 4
"""llama.cpp's pooling of rerankers."""
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleModel:
    """A published model: its repository on the hub, what its header says, and the user's settings."""

    name: str
    repo: str
    file: str
    size: int
    parameters: int
    quantization: str
    template: str
    header: Mapping[str, Any]
    added: int
    """When it was added, in days before the pictures."""
    downloads: int
    used: float | None = None
    """When it was used last, in days before the pictures, unless it is used in them."""
    context: int | None = None
    is_pinned: bool = False
    is_vision: bool = False
    is_outdated: bool = False
    """Whether the hub has a newer version."""
    aliases: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """A stand-in for the hash of the file."""
        return hashlib.sha256(self.file.encode()).hexdigest()


MODELS = tuple(ExampleModel(**entry) for entry in tomllib.loads(_FILE.read_text(encoding="utf-8"))["model"])


def write_model(path: Path, model: ExampleModel) -> Path:
    """Write the model's file: its header, and a hole of its size, which takes no space on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_header(model))
    os.truncate(path, model.size)
    return path


async def add_models(home: Path, commits: Mapping[str, str]) -> None:
    """Write all models into a home and its catalogue; ``commits`` are those that the files are from, by repository."""
    for model in MODELS:
        path = write_model(home / "models" / model.repo / model.file, model)
        added_at = time.time() - model.added * DAY_S
        async with SqliteCatalog(home / "gglib.db", clock=lambda at=added_at: at) as catalog:  # type: ignore[misc]
            added = await catalog.add_model(_entry(model, path, commits[model.repo]))
            if model.used is not None:
                await catalog.note_use({added.id: round(time.time() - model.used * DAY_S)})


def _entry(model: ExampleModel, path: Path, commit: str) -> NewModel:
    facts = read_gguf(path)
    source = ModelSource(origin="hub", repo=model.repo, revision=commit, file=model.file, sha256=model.sha256)
    projector = path.with_name("mmproj-f16.gguf") if model.is_vision else None
    if projector is not None:
        projector.write_bytes(_preamble(0, {"general.architecture": "clip", "general.type": "mmproj"}))
        os.truncate(projector, 854_200_224)
    return NewModel(
        name=model.name,
        paths=(path,),
        size_bytes=model.size,
        aliases=tuple(model.aliases),
        facts=facts.with_vision() if model.is_vision else facts,
        tags=tuple(model.tags),
        settings=ModelSettings(context=model.context, is_pinned=model.is_pinned),
        source=source,
        hashes=(model.sha256,),
        projector=projector,
        is_downloaded=True,
    )


def _header(model: ExampleModel) -> bytes:
    architecture = model.header["architecture"]
    tensor_type, file_type = _TYPES[model.quantization]
    pairs: dict[str, str | int] = {
        "general.architecture": architecture,
        "general.type": "model",
        "general.name": model.file.removesuffix(".gguf"),
        "general.file_type": file_type,
    }
    pairs |= {f"{architecture}.{key}": value for key, value in model.header.items() if key != "architecture"}
    if template := _TEMPLATES[model.template]:
        pairs["tokenizer.chat_template"] = template
    embedding = model.header["embedding_length"] * model.header["vocab_size"]
    rest = (model.parameters - embedding) // _BLOCK * _BLOCK
    tensors = [("token_embd.weight", embedding), ("blk.0.ffn_down.weight", rest)]
    if model.header.get("pooling_type") == _RANK:
        tensors.append(("cls.output.weight", _BLOCK))
    return _preamble(len(tensors), pairs) + b"".join(
        _text(name) + struct.pack("<IQIQ", 1, count, tensor_type, 0) for name, count in tensors
    )


def _preamble(tensor_count: int, pairs: Mapping[str, str | int]) -> bytes:
    values = (
        _text(key)
        + (
            struct.pack("<I", _TEXT) + _text(value)
            if isinstance(value, str)
            else struct.pack("<II", _U32, value)
        )
        for key, value in pairs.items()
    )
    return struct.pack("<4sIQQ", b"GGUF", 3, tensor_count, len(pairs)) + b"".join(values)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()
