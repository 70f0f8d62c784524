"""The paths that a model serves: all of llama.cpp's, or those of its backend. Pure.

A command or a server elsewhere speaks OpenAI's dialect, and no more unless its ``routes`` say so: llama.cpp's own
paths, and Anthropic's, which llama.cpp's server speaks itself, are refused before the model is loaded.
"""

from fnmatch import fnmatchcase

from gglib.core.backends import Backend
from gglib.core.models import ModelCapabilities
from gglib.proxy.errors import UnsupportedByModelError

BACKEND_PATHS = (
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/speech",
    "/v1/audio/translations",
)
"""Paths that only backends serve: llama.cpp's server has none of them."""

_CHAT_PATHS = ("/v1/chat/completions", "/v1/completions")
_EMBEDDING_PATHS = ("/v1/embeddings",)
_RERANK_PATHS = ("/v1/rerank",)


def default_paths(capabilities: ModelCapabilities) -> tuple[str, ...]:
    """Return the paths of a backend without ``routes``, by the kind of its model; one without a kind can chat."""
    paths: tuple[str, ...] = ()
    if capabilities.embedding:
        paths += _EMBEDDING_PATHS
    if capabilities.rerank:
        paths += _RERANK_PATHS
    return paths + _CHAT_PATHS if capabilities.chat or not paths else paths


def check_served(path: str, name: str, capabilities: ModelCapabilities, backend: Backend | None) -> None:
    """Raise ``UnsupportedByModelError`` if the model ``name`` does not serve a path of the engine's dialect."""
    if backend is None:
        if path in BACKEND_PATHS:
            raise UnsupportedByModelError(
                f"Model '{name}' cannot serve {path}: llama.cpp has no such path. Use a model that was added with "
                f"'gglib add --command' or '--url' and '--route {path}'."
            )
        return
    served = backend.routes or default_paths(capabilities)
    if not any(fnmatchcase(path, pattern) for pattern in served):
        raise UnsupportedByModelError(
            f"Model '{name}' serves {', '.join(served)} and not {path}. If its server has this path, "
            f"run 'gglib set {name} --route {path}' on the server's machine, with its other paths."
        )
