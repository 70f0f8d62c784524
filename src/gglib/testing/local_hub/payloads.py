"""The JSON of the hub's API: shapes only. Pure.

Source: huggingface_hub 2.4, ``hf_api.py`` (``ModelInfo``, ``RepoSibling``) and https://huggingface.co/docs/hub/api.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gglib.testing.local_hub.content import LARGE_BYTES, Content
from gglib.testing.local_hub.store import ABSENT, Repository

_ALWAYS = ("_id", "id", "modelId")
_IN_A_LISTING = (*_ALWAYS, "likes", "private", "downloads", "tags", "createdAt")
_ONLY_WHEN_FULL = ("author", "sha", "lastModified", "gated", "siblings")


def dumps(value: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def error(message: str) -> bytes:
    """Return the error body."""
    return dumps({"error": message})


def is_large(name: str, content: Content) -> bool:
    """Whether a file is stored apart: by the ``.gitattributes`` of model repositories, or by its size."""
    if content.is_large is not None:
        return content.is_large
    return name.endswith(".gguf") or content.size_bytes >= LARGE_BYTES


def model(repository: Repository, commit: str, *, blobs: bool) -> dict[str, Any]:
    """Return the response about one repository; sizes and hashes of files only with ``blobs``."""
    tags = list(repository.tags)
    card: dict[str, Any] = {}
    if repository.licence is not None:
        card["license"] = repository.licence
        tags.append(f"license:{repository.licence}")
    truth: dict[str, Any] = {
        "_id": commit[:24],
        "id": repository.repo,
        "modelId": repository.repo,
        "author": repository.repo.partition("/")[0],
        "sha": commit,
        "lastModified": repository.last_modified,
        "createdAt": "2025-01-01T00:00:00.000Z",
        "private": repository.is_private,
        "gated": repository.gated or False,
        "disabled": False,
        "downloads": repository.downloads,
        "likes": repository.likes,
        "trendingScore": repository.trending,
        "tags": tags,
        "cardData": card,
        "siblings": [sibling(name, file, blobs=blobs) for name, file in repository.files(commit).items()],
    }
    if repository.gguf is not None:
        truth["gguf"] = dict(repository.gguf)
    return _overridden(truth, repository.overrides)


def sibling(name: str, content: Content, *, blobs: bool) -> dict[str, Any]:
    """Return one file of a listing."""
    if not blobs:
        return {"rfilename": name}
    shown: dict[str, Any] = {"rfilename": name, "blobId": content.blob_id, "size": content.size_bytes}
    if is_large(name, content):
        shown["lfs"] = {"sha256": content.sha256, "size": content.size_bytes, "pointerSize": 135}
    return shown


def listed(repository: Repository, *, expand: Iterable[str], is_full: bool) -> dict[str, Any]:
    """Return one item of a listing: a few fields, more if full, or exactly the requested ones."""
    whole = model(repository, repository.commits[-1][0], blobs=False)
    wanted = set(expand)
    fields = {*_ALWAYS, *wanted} if wanted else {*_IN_A_LISTING, *(_ONLY_WHEN_FULL if is_full else ())}
    return {name: value for name, value in whole.items() if name in fields}


def _overridden(truth: dict[str, Any], overrides: Mapping[str, object]) -> dict[str, Any]:
    mixed = {**truth, **overrides}
    return {name: value for name, value in mixed.items() if value is not ABSENT}
