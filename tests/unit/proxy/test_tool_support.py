"""Whether a model sees tools, by its capabilities."""

from dataclasses import dataclass

import pytest

from gglib.core.models import ModelCapabilities
from gglib.proxy.errors import UnsupportedByModelError
from gglib.proxy.guards.tool_choice import ToolUse
from gglib.proxy.tool_support import WARNING_HEADER, models_with_tools, tool_warning

WITHOUT, WITH = ModelCapabilities(chat=True), ModelCapabilities(chat=True, tools=True)
UNKNOWN = ModelCapabilities()


@dataclass
class Named:
    """A model."""

    capabilities: ModelCapabilities


@pytest.mark.parametrize("capabilities", [WITH, UNKNOWN, ModelCapabilities(embedding=True)])
def test_no_warning_if_tools_may_be_seen(capabilities: ModelCapabilities) -> None:
    """A template with tools, and no template at all: llama.cpp's default is used then."""
    for is_required in (False, True):
        assert not tool_warning(ToolUse(is_required=is_required), capabilities)


def test_a_template_without_tools() -> None:
    """A warning if the model may answer without them, else an error about the capability."""
    assert tool_warning(ToolUse(is_required=False), WITHOUT) == WARNING_HEADER
    with pytest.raises(UnsupportedByModelError) as caught:
        tool_warning(ToolUse(is_required=True), WITHOUT)
    assert (caught.value.capability, caught.value.status) == ("tools", 400)


def test_models_that_see_tools_are_preferred() -> None:
    """If there is none, all stay: the error or the warning is about the first."""
    first, second = Named(WITHOUT), Named(WITH)
    assert models_with_tools([first, second]) == [second]
    assert models_with_tools([first]) == [first]
