"""Compare the list of first models with the hub (``make check-first-models``): names, sizes, licences, and shapes.

Needs the hub (``HF_ENDPOINT``); downloads headers only. Exits with 1 if a fact differs.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields

from gglib.app.models.hub import open_hub
from gglib.core.errors import HubError, InvalidGgufError
from gglib.core.hub.quantizations import folded
from gglib.core.hub.repository import Gating
from gglib.core.models import GgufFacts, LayerFacts
from gglib.core.ports.hub import ModelHubPort
from gglib.gguf import read_partial_facts
from gglib.library.search import HEADER_BYTES
from gglib.library.starter.first_models import FirstModel, first_models
from gglib.library.variants.find import find_variants

SHAPE = (
    *("architecture", "block_count", "embedding_length", "head_count", "head_count_kv", "key_length"),
    *("vocabulary_size", "merge_count", "trained_context"),
)


async def differences(model: FirstModel, hub: ModelHubPort) -> AsyncIterator[str]:
    """Yield a sentence for each fact of the list that is not the hub's. Raises ``HubError``, ``InvalidGgufError``."""
    repository = await hub.repository(model.repo)
    if repository.licence != model.licence:
        yield f"licence {model.licence}, on the hub {repository.licence}"
    if repository.gate is not Gating.OPEN:
        yield "the repository is gated"
    variants = find_variants(repository.files).models
    found = [
        variant for variant in variants if folded(variant.quantization or "") == folded(model.quantization)
    ]
    if len(found) != 1:
        yield f"{len(found)} files of {model.quantization}"
        return
    if found[0].size_bytes != model.size_bytes:
        yield f"size {model.size_bytes}, on the hub {found[0].size_bytes}"
    start = await hub.read_start(repository.remote(found[0].first), HEADER_BYTES)
    for sentence in shape_differences(model.facts, read_partial_facts(start)):
        yield sentence


def shape_differences(listed: GgufFacts, header: GgufFacts) -> Iterator[str]:
    """Yield a sentence for each value of the shape that the header states otherwise."""
    for name in SHAPE:
        own, theirs = getattr(listed, name), getattr(header, name)
        if theirs is not None and own != theirs:
            yield f"{name} {own}, in the header {theirs}"
    for field in fields(LayerFacts):
        own, theirs = getattr(listed.layers, field.name), getattr(header.layers, field.name)
        if own not in (None, ()) and own != theirs:
            yield f"{field.name} {own}, in the header {theirs}"


async def check() -> int:
    """Print the result for each model, and return the exit code."""
    is_bad = False
    async with open_hub() as hub:
        for model in first_models().models:
            try:
                found = [sentence async for sentence in differences(model, hub)]
            except (HubError, InvalidGgufError) as error:
                found = [str(error)]
            is_bad = is_bad or bool(found)
            print(f"{model.target}: {'; '.join(found) or 'as listed'}")
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(asyncio.run(check()))
