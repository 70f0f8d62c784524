"""Opens the hub from the environment variables that Hugging Face's own programs use."""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from gglib.core.ports.hub import ModelHubPort
from gglib.hf import HubAccess, HuggingFaceHub

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE_VALUES = {"1", "ON", "YES", "TRUE"}
"""The values that ``huggingface_hub`` treats as true."""


@asynccontextmanager
async def open_hub(environ: Mapping[str, str] = os.environ) -> AsyncIterator[ModelHubPort]:
    """Yield the hub at ``HF_ENDPOINT``; ``HF_HUB_OFFLINE`` and ``TRANSFORMERS_OFFLINE`` disable requests."""
    async with HuggingFaceHub(hub_access(environ)) as hub:
        yield hub


async def load_client() -> None:
    """Import the hub's client, which the first request would do: 0.3 s, and seconds on a slow or busy machine."""
    await asyncio.to_thread(importlib.import_module, "gglib.hf.session")


def hub_access(environ: Mapping[str, str]) -> HubAccess:
    """Return the endpoint, the token and the offline mode.

    ``TRANSFORMERS_OFFLINE`` applies if ``HF_HUB_OFFLINE`` is not set, as in ``huggingface_hub`` (``constants.py``),
    which would refuse the requests itself.
    """
    return HubAccess(
        endpoint=(environ.get("HF_ENDPOINT", "").strip() or DEFAULT_ENDPOINT).rstrip("/"),
        token=_token,
        is_offline=(environ.get("HF_HUB_OFFLINE") or environ.get("TRANSFORMERS_OFFLINE", "")).upper()
        in _TRUE_VALUES,
    )


def _token() -> str | None:
    """Return ``HF_TOKEN``, or the token that ``hf auth login`` stored."""
    from gglib.hf.session import get_token  # noqa: PLC0415 - imports a library that takes a quarter of a second

    return get_token()
