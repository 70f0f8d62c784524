"""Finds the models of Ollama: a manifest per name, and its layers as blobs named by their hash.

``MODELS/manifests/HOST/NAMESPACE/MODEL/TAG`` and, in newer versions, ``MODELS/manifests-v2/…``, where the file is a
link to a blob (ollama, ``manifest/paths.go`` and ``manifest/manifest.go``; names by ``types/model/name.go``).
A manifest is JSON with ``layers``, each with a ``mediaType`` and a ``digest``; a manifest list names one manifest per
engine. A layer is at ``MODELS/blobs/sha256-HEX``. Ollama's template layers are not needed: the chat template is in the
GGUF header.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from gglib.library.file_state import is_directory, is_here
from gglib.library.importers.candidates import Candidate, as_sha256, unreadable
from gglib.library.variants.pull_target import HUB_HOSTS
from gglib.system.files.small_files import parse_json, read_small

ORIGIN = "ollama"
_ROOTS = ("manifests-v2", "manifests")
"""The newer first, as in ``namedManifestRefs``: a name in both is resolved to the newer one."""
_MODEL = "application/vnd.ollama.image.model"
_PROJECTOR = "application/vnd.ollama.image.projector"
_ADAPTER = "application/vnd.ollama.image.adapter"
_DIGEST = re.compile(r"sha256[:-](?P<hex>[0-9a-fA-F]{64})")
_MAX_MANIFEST_BYTES = 1024 * 1024
_DEFAULT_HOST, _DEFAULT_NAMESPACE = "registry.ollama.ai", "library"

Json = Mapping[str, Any]


def models_directories(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return the directories that may have models: from the variable, the user's, and the Linux service's.

    (ollama, ``envconfig/config.go``, ``Models``; ``scripts/install.sh``: ``/usr/share/ollama`` is the service's home.)
    """
    named = (Path(environ["OLLAMA_MODELS"]).expanduser(),) if environ.get("OLLAMA_MODELS") else ()
    return (*named, home / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models"))


def is_ollama(path: Path) -> bool:
    """Whether a folder looks like Ollama's models directory."""
    return is_directory(path / "blobs") and any(is_directory(path / root) for root in _ROOTS)


def find_in_ollama(root: Path) -> Iterator[Candidate]:
    """Yield one candidate per name; several names may share a file."""
    seen: set[str] = set()
    try:
        paths = [path for directory in _ROOTS for path in sorted((root / directory).glob("*/*/*/*"))]
    except OSError as error:
        yield unreadable(root, error)
        return
    for path in paths:
        host, namespace, model, tag = path.parts[-4:]
        name = _name(host, namespace, model, tag)
        if name.casefold() in seen or is_directory(path):
            continue
        seen.add(name.casefold())
        repo = f"{namespace}/{model}" if host in HUB_HOSTS else None
        yield _candidate(path, root / "blobs", name, repo)


def _name(host: str, namespace: str, model: str, tag: str) -> str:
    """Return the name as ``ollama list`` shows it: without default parts."""
    parts = [host, namespace, model]
    if host == _DEFAULT_HOST:
        parts = [model] if namespace == _DEFAULT_NAMESPACE else [namespace, model]
    return f"{'/'.join(parts)}:{tag}"


def _candidate(path: Path, blobs: Path, name: str, repo: str | None) -> Candidate:
    described = partial(Candidate, origin=ORIGIN, name=name, repo=repo)
    try:
        layers = _layers(_read(path), blobs)
        models = [_blob(layer, blobs) for layer in layers if _kind(layer) == _MODEL]
        projectors = [_blob(layer, blobs) for layer in layers if _kind(layer) == _PROJECTOR]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return described(path=path, fault="its manifest cannot be read")
    if not models:
        return described(
            path=path,
            fault="it has no GGUF file on this machine: Ollama runs it remotely, or in another format",
        )
    fault = None
    if len(models) > 1:
        fault = "Ollama stores it in several files without the names that llama.cpp needs for shards"
    elif any(_kind(layer) == _ADAPTER for layer in layers):
        fault = "it has a LoRA adapter, which gglib does not support"
    elif missing := [blob for blob in (*models, *projectors) if not is_here(blob)]:
        fault = f"its file {missing[0].name[:19]}… is missing or not readable"
    return described(
        path=models[0],
        sha256_of=_sha256_of,
        projector=projectors[0] if projectors else None,
        fault=fault,
    )


def _layers(manifest: Json, blobs: Path) -> list[Json]:
    """Return the layers of a manifest; of a manifest list, those of the manifest with a GGUF model."""
    if not manifest.get("manifests"):
        return list(manifest.get("layers") or ())
    children = [
        child if child.get("layers") else _read(_blob(child, blobs)) for child in manifest["manifests"]
    ]
    for child in children:
        if any(_kind(layer) == _MODEL for layer in child["layers"]):
            return list(child["layers"])
    return []


def _read(path: Path) -> Json:
    content: Json = parse_json(read_small(path, max_bytes=_MAX_MANIFEST_BYTES, follows_links=True))
    return content


def _kind(layer: Json) -> str:
    return str(layer["mediaType"])


def _blob(layer: Json, blobs: Path) -> Path:
    """Return the path of a layer. Raises ValueError for an invalid digest, because it becomes a file name."""
    match = _DIGEST.fullmatch(layer["digest"])
    if match is None:
        raise ValueError(layer["digest"])
    return blobs / f"sha256-{match['hex']}"


def _sha256_of(path: Path) -> str | None:
    return as_sha256(path.name.removeprefix("sha256-"))
