"""Fills a catalogue by a gglib of any age, with a value in every field that it knows, and prints what it reads.

``python old_catalog_rows.py HOME``: run by ``scripts/old_catalogs.py`` with the source of one commit on the path. The
output is JSON. A field of a setting, source or profile without a value here is an error, so that no format omits one.
"""

import asyncio
import dataclasses
import importlib
import json
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

Old = Any
"""A value of that gglib's own classes, which differ from commit to commit."""

NOW_S = 1_700_000_000
KINDS = ("chat", "embedding", "rerank")
READERS = ("list_models", "list_versions", "list_pulls", "read_home", "list_profiles", "list_peaks")
PEAK = {"ram": 5_000_000_000, "gpu0": 2**40}

models = importlib.import_module("gglib.core.models")


def later_module(name: str) -> ModuleType | None:
    """Return a module that older gglibs do not have."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


versions: Old = later_module("gglib.core.versions")
profiles: Old = later_module("gglib.core.profiles")
priority: Old = later_module("gglib.core.priority")
backends: Old = later_module("gglib.core.backends")


def make(kind: type, values: Mapping[str, object]) -> Old:
    """Return a ``kind`` with those of ``values`` that it has fields for. Raises KeyError for a field without one."""
    return kind(**{field.name: values[field.name] for field in dataclasses.fields(kind)})


def make_known(kind: type, values: Mapping[str, object]) -> Old:
    """Return a ``kind`` with those of ``values`` that it has fields for; other fields keep their defaults."""
    known = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in known})


def source(number: int) -> Old:
    """Return the source of a model from a repository."""
    values = {
        "origin": "hub",
        "repo": f"ada/Coder{number}-GGUF",
        "revision": f"{number:040x}",
        "asked_revision": "v1.0",
        "url": f"https://models.example/coder{number}.gguf?key=1",
        "file": f"coder{number}-Q4_K_M-00001-of-00002.gguf",
        "sha256": f"{number:064x}",
    }
    return make(models.ModelSource, values)


def settings(number: int) -> Old:
    """Return settings, all of which are set."""
    values = {
        "context": 4096 * number,
        "engine_args": ("--threads", str(number)),
        "idle_ttl_s": 1.5 * number,
        "kind": KINDS[number % 3],
        "is_pinned": True,
        "priority": priority and list(priority.Priority)[number % 2],
        "environment": (("CUDA_VISIBLE_DEVICES", str(number)), ("EMPTY", "")),
        "extra_args": ("--unchecked", "a b"),
        "keep_conversations": number % 2 == 0,
    }
    return make(models.ModelSettings, values)


def facts() -> Old:
    """Return the facts of a header that catalogues store."""
    abilities = dict.fromkeys(("chat", "tools", "reasoning", "vision", "embedding", "rerank"), True)
    values = {
        "architecture": "qwen3",
        "parameter_count": 8_190_735_360,
        "quantization": "Q4_K_M",
        "trained_context": 40_960,
        "block_count": 36,
        "embedding_length": 4096,
        "head_count": 32,
        "head_count_kv": 8,
        "key_length": 128,
        "value_length": 64,
        "vocabulary_size": 151_936,
        "chat_template": "{{ messages }}",
        "capabilities": make(models.ModelCapabilities, abilities),
        "pooling": "last",
    }
    return make_known(models.GgufFacts, values)


def full_model(home: Path, number: int) -> Old:
    """Return a model in two shards below the home, with everything set."""
    directory = home / "models" / "ada" / f"Coder{number}-GGUF"
    values = {
        "name": f"ada/Coder{number}:Q4_K_M",
        "paths": tuple(directory / f"coder{number}-Q4_K_M-0000{shard}-of-00002.gguf" for shard in (1, 2)),
        "size_bytes": 5_027_783_488 + number,
        "aliases": (f"coder{number}", f"Ä{number}"),
        "description": f"Coder {number}: \"double\" and 'single' quotes, ünïcode",
        "facts": facts(),
        "tags": ("work", "big"),
        "settings": settings(number),
        "source": source(number),
        "hashes": (f"{number:064x}", None),
        "projector": directory / "mmproj.gguf",
        "projector_sha256": f"{number + 1:064x}",
        "is_downloaded": True,
        "backend": None,
    }
    return make(models.NewModel, values)


def plain_model(name: str, *paths: Path, **fields: object) -> Old:
    """Return a model with nothing set but its name and files."""
    header = models.GgufFacts(architecture="llama")
    return models.NewModel(name=name, paths=paths, size_bytes=7, facts=header, **fields)


async def add_models(catalog: Old, home: Path) -> None:
    """Add full models, plain ones, the starter and a path that is not Unicode; remove one, so that ids have a gap."""
    await catalog.add_model(plain_model("removed", home / "models" / "removed.gguf"))
    await catalog.remove_model("removed")
    for number in (1, 2):
        await catalog.add_model(full_model(home, number))
    await catalog.add_model(plain_model("mine", Path("/elsewhere/my model.gguf")))
    await catalog.add_model(plain_model("odd", Path("/elsewhere/\udcff.gguf")))
    starter = models.ModelSource(file="starter.gguf", sha256="5a" * 32)
    await catalog.add_model(plain_model("starter", home / "models" / "starter.gguf", source=starter))
    if hasattr(catalog, "note_use"):
        await catalog.note_use({2: NOW_S + 60, 4: NOW_S + 120})


async def add_backends(catalog: Old) -> None:
    """Add a model with each backend."""
    if backends is None:
        return
    values = {
        "argv": ("serve-model", "--port", "{port}", "a b"),
        "health_path": "/ready",
        "routes": ("/v1/images/*",),
        "stop_signal": "INT",
        "memory": (("ram", 5), ("gpu0", 2**40)),
        "directory": Path("/elsewhere"),
        "start_timeout_s": 1.5,
        "slots": 2,
        "model": "inner",
        "base_url": "http://models.example:8000/v1",
        "key_env": "MODELS_KEY",
        "ca_file": "/elsewhere/ca.pem",
    }
    await catalog.add_model(plain_model("command", backend=make(backends.CommandBackend, values)))
    await catalog.add_model(plain_model("remote", backend=make(backends.UrlBackend, values)))


async def add_versions(catalog: Old, home: Path) -> None:
    """Install a version with its model, keep a retired one and an unfinished pull, and record the home."""
    if versions is None or not hasattr(catalog, "install_version"):
        return
    directory = home / "models" / "ada" / "Coder3-GGUF"
    model = full_model(home, 3)
    placed = tuple(directory / "Q4-1" / path.name for path in (*model.paths, model.projector))
    version = versions.NewVersion(
        directory=directory / "Q4-1", source=source(3), files=tuple(map(own_file, placed))
    )
    model = dataclasses.replace(model, paths=placed[:-1], projector=placed[-1])
    await catalog.install_version(version, model)
    retired = own_file(directory / "Q4-2" / "a.gguf")
    added = await catalog.add_version(
        versions.NewVersion(directory=directory / "Q4-2", source=source(4), files=(retired,))
    )
    await catalog.retire_unused([added.id])
    await catalog.begin_pull(pull_job(home))
    home_values = {
        "id": "0123abcd",
        "device": 2**64 - 1,
        "inode": 5,
        "models_device": 2**63,
        "models_inode": 6,
    }
    await catalog.record_home(make(versions.HomeIdentity, home_values), resets_identities=False)


def own_file(path: Path) -> Old:
    """Return the record of a file that gglib wrote; device and inode need more than 63 bits."""
    role = versions.FileRole.PROJECTOR if path.name.startswith("mmproj") else versions.FileRole.MODEL
    state = {"device": 2**64 - 1, "inode": 2**63, "size_bytes": 7, "modified_ns": NOW_S * 10**9 + 1}
    values = {
        "path": path,
        "role": role,
        "name": path.name,
        "identity": make(versions.FileIdentity, state),
        "sha256": "cc" * 32,
        "validator": '"v1"',
    }
    return make(versions.OwnFile, values)


def pull_job(home: Path) -> Old:
    """Return an unfinished pull."""
    file = {
        "name": "a.gguf",
        "role": versions.FileRole.MODEL,
        "key": "s-1",
        "size_bytes": 5,
        "sha256": "bb" * 32,
        "validator": '"v1"',
    }
    values = {
        "key": "job",
        "asked": "ada/Coder4-GGUF:Q4",
        "name": "coder4",
        "aliases": ("c4", "Ä4"),
        "source": source(4),
        "files": (make(versions.IncomingFile, file),),
        "updates": 2,
        "is_fetched": True,
        "directory": home / "models" / "ada" / "Coder4-GGUF",
        "started_at": NOW_S,
    }
    return make(versions.PullJob, values)


async def add_profiles(catalog: Old) -> None:
    """Add a profile of one model and one of all models."""
    if profiles is None:
        return
    for model_id in (2, None):
        values = {
            "name": "Precise",
            "model_id": model_id,
            "description": "few surprises",
            "system": "You are brief.",
            "defaults": {"temperature": 0.1, "stop": ["a", "b"]},
            "template_kwargs": {"enable_thinking": False},
            "strip": ("seed", "top_k"),
        }
        profile = make(profiles.Profile, values)
        await catalog.edit_profile("Precise", model_id, lambda _, profile=profile: profile)


async def read(catalog: Old) -> dict[str, object]:
    """Return what the catalogue reads, by the method that reads it."""
    return {name: plain(await getattr(catalog, name)()) for name in READERS if hasattr(catalog, name)}


def plain(value: object) -> object:
    """Return a value as JSON has it."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, Path) else value


async def main(home: Path) -> None:
    """Fill the catalogue of ``home`` and print what it reads."""
    database: Old = importlib.import_module("gglib.db")
    async with database.SqliteCatalog(home / "gglib.db", clock=lambda: NOW_S + 0.9) as catalog:
        await add_models(catalog, home)
        await add_backends(catalog)
        await add_versions(catalog, home)
        await add_profiles(catalog)
        if hasattr(catalog, "record_peak"):
            await catalog.record_peak("aa" * 32, PEAK)
        print(json.dumps(await read(catalog), indent=1))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
