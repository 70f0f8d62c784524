"""The environment becomes a hub: the variables are those that programs for the Hugging Face hub have in common."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from gglib.core.ports.hub import ModelHubPort
from gglib.hf import HubAccess, HuggingFaceHub

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE_VALUES = {"1", "ON", "YES", "TRUE"}
"""What ``huggingface_hub`` takes for a yes."""


@asynccontextmanager
async def open_hub(environ: Mapping[str, str] = os.environ) -> AsyncIterator[ModelHubPort]:
    """Yield the hub that ``HF_ENDPOINT`` names; ``HF_HUB_OFFLINE`` and ``TRANSFORMERS_OFFLINE`` say not to ask."""
    async with HuggingFaceHub(hub_access(environ)) as hub:
        yield hub


def hub_access(environ: Mapping[str, str]) -> HubAccess:
    """Return how the hub is reached.

    ``TRANSFORMERS_OFFLINE`` counts where ``HF_HUB_OFFLINE`` is not set, as for ``huggingface_hub`` (its
    ``constants.py``), which would refuse to ask by itself.
    """
    return HubAccess(
        endpoint=(environ.get("HF_ENDPOINT", "").strip() or DEFAULT_ENDPOINT).rstrip("/"),
        token=_token,
        is_offline=(environ.get("HF_HUB_OFFLINE") or environ.get("TRANSFORMERS_OFFLINE", "")).upper()
        in _TRUE_VALUES,
    )


def _token() -> str | None:
    """Return ``HF_TOKEN``, or what ``hf auth login`` left in the hub's own file."""
    from gglib.hf.session import get_token  # noqa: PLC0415 - imports a library that takes a quarter of a second

    return get_token()
