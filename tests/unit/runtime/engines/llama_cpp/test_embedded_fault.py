"""Whether the embedded engine's wheel can be imported at all."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from gglib.runtime.engines import EmbeddedEngine


def test_a_wheel_that_can_be_imported_has_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any module of that name will do."""
    monkeypatch.setitem(sys.modules, "xllamacpp", ModuleType("xllamacpp"))
    assert EmbeddedEngine(reason="it is tested").fault() is None


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("libgomp.so.1: cannot open shared object file", "'apt install libgomp1'"),
        ("undefined symbol: llama_init", "Install it again."),
    ],
)
def test_a_missing_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, advice: str
) -> None:
    """With the packages that have it."""
    (tmp_path / "xllamacpp.py").write_text(f"raise ImportError({message!r})")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    fault = EmbeddedEngine(reason="it is tested").fault()
    assert fault is not None
    assert message in fault
    assert advice in fault
