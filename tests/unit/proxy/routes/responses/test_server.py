"""Reloaded settings as a response."""

import msgspec

from gglib.core.ports import reload
from gglib.proxy.routes import responses


def test_reload_shows_its_changes() -> None:
    """Secrets have no values already."""
    change = reload.SettingChange(setting="slots", old="4", new="9", is_applied=True)
    result = reload.ReloadResult(changes=(change,), replaced_models=("tiny",), warnings=("w",))
    shown = msgspec.to_builtins(responses.Reloaded.of(result))
    assert shown["warnings"] == ("w",) or shown["warnings"] == ["w"]
    assert [found["setting"] for found in shown["settings"]] == ["slots"]
