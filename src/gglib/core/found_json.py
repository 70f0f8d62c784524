"""What was found on a hub, for programs: the shape that ``gglib search --json`` and the HTTP interface share. Pure.

A repository::

    {"repo": "owner/name", "revision": "<commit>", "downloads": 1, "likes": 1, "updated_at": 1700000000 | null,
     "licence": "apache-2.0" | null, "gate": "open" | "automatic" | "manual", "tags": [...],
     "architecture": "llama" | null, "parameter_count": 1 | null, "trained_context": 1 | null,
     "context": 8192,                              tokens, for which memory was judged
     "suggested": "Q4_K_M" | null,                 label of what gglib would take of these
     "offers": [{"label", "pull",                  what to give to 'gglib pull'
                 "quantization" | null, "size_bytes", "fit": "fits" | "tight" | "too large",
                 "slots": 4,                   requests at a time for which there is memory
                 "need": {"weights_bytes", "kv_bytes", "compute_bytes", "overhead_bytes", "total_bytes",
                          "left_behind_bytes",      as core.fit.MemoryNeed has them
                          "is_exact"},
                 "files": [{"name", "size_bytes", "sha256" | null}]}],
     "projectors": [file, …], "incomplete": [stem, …], "pieces": [name, …], "unsafe": [name, …]}

All times are Unix seconds, all sizes bytes. What a hub says in words, and names that are not used here, are shown as
``file_names.shown`` does: nothing in them is unprintable.
"""

from dataclasses import asdict
from typing import Any

from gglib.core.file_names import shown
from gglib.core.found import FoundOffer, FoundRepository, SearchResult
from gglib.core.hub import HubFile


def search_json(result: SearchResult, *, query: str) -> dict[str, Any]:
    """Return a search's result, with the memory that fits were judged against."""
    return {
        "query": query,
        "memory": asdict(result.memory),
        "repositories": [repository_json(found) for found in result.repositories],
        "left_out": result.left_out,
    }


def repository_json(found: FoundRepository) -> dict[str, Any]:
    """Return one repository."""
    one = found.repository
    return {
        "repo": one.repo,
        "revision": shown(one.revision),
        "downloads": one.downloads,
        "likes": one.likes,
        "updated_at": one.updated_at,
        "licence": one.licence and shown(one.licence),
        "gate": one.gate.value,
        "tags": [shown(tag) for tag in one.tags],
        "architecture": found.architecture and shown(found.architecture),
        "parameter_count": found.parameter_count,
        "trained_context": found.trained_context,
        "context": found.context,
        "suggested": found.suggested.label if found.suggested else None,
        "offers": [_offer_json(offer, one.repo, found.asked_revision) for offer in found.found],
        "projectors": [_file_json(file) for file in found.offers.projectors],
        "incomplete": list(found.offers.incomplete),
        "pieces": list(found.offers.pieces),
        "unsafe": [shown(name) for name in found.offers.unsafe],
    }


def shown_json(found: FoundRepository) -> dict[str, Any]:
    """Return one repository with every file: its ``kind``, its model's ``label``, whether its name is ``unsafe``."""
    files = [
        {
            **_file_json(one.file),
            "name": shown(one.file.name) if one.is_unsafe else one.file.name,
            "kind": one.kind.value,
            "label": one.found.offer.label if one.found else None,
            "unsafe": one.is_unsafe,
        }
        for one in found.files()
    ]
    return {**repository_json(found), "memory": asdict(found.memory), "files": files}


def _offer_json(found: FoundOffer, repo: str, revision: str | None) -> dict[str, Any]:
    return {
        "label": found.offer.label,
        "pull": found.offer.typed(repo, revision),
        "quantization": found.offer.quantization,
        "size_bytes": found.offer.size_bytes,
        "fit": found.fit.value,
        "slots": found.slots,
        "need": {**asdict(found.need), "total_bytes": found.need.total_bytes},
        "files": [_file_json(file) for file in found.offer.files],
    }


def _file_json(file: HubFile) -> dict[str, Any]:
    return {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256}
