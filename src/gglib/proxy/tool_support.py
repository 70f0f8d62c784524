"""Whether a model sees the tools of a request, and the warning for clients if it does not. Pure.

Without tools in its chat template a model never sees them: llama-server drops them silently, and a required call is
answered with prose (tested with xllamacpp 2026.10.11549). A model without any template gets llama.cpp's default one, of
which nothing is known, so nothing is checked.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gglib.core.models import ModelCapabilities
from gglib.proxy.errors import UnsupportedByModelError
from gglib.proxy.guards.tool_choice import ToolUse

WARNING_HEADER = (
    b"x-gglib-warning: the chat template of the model has no tools, so it does not see those of the request"
    b"\r\n"
)


class _HasCapabilities(Protocol):
    @property
    def capabilities(self) -> ModelCapabilities: ...


Model = TypeVar("Model", bound=_HasCapabilities)


def tool_warning(tool_use: ToolUse, capabilities: ModelCapabilities) -> bytes:
    """Return the header line of the response to a request with tools; empty if the model may see them.

    Raises ``UnsupportedByModelError`` if the model must call a tool and never sees one.
    """
    if not lacks_tools(capabilities):
        return b""
    if tool_use.is_required:
        raise UnsupportedByModelError(
            "Its chat template has no tools, and the request requires a call.", "tools"
        )
    return WARNING_HEADER


def lacks_tools(capabilities: ModelCapabilities) -> bool:
    """Whether the model has a chat template without tools."""
    return capabilities.chat and not capabilities.tools


def models_with_tools(models: Sequence[Model]) -> Sequence[Model]:
    """Return the models that may see tools; all if none does."""
    return [model for model in models if not lacks_tools(model.capabilities)] or models
