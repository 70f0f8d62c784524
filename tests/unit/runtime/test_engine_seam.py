"""The seam between launches and engines holds: the rest of the runtime does not know llama.cpp."""

import re
from pathlib import Path

import pytest

from gglib import runtime
from gglib.runtime.engines.base import Engine
from gglib.runtime.engines.registry import _MEMBERS

ROOT = Path(runtime.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if "engines" not in path.relative_to(ROOT).parts)
WORDS = re.compile(r"llama|ggml|xllamacpp|gguf\b", re.IGNORECASE)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_word_of_llama_cpp_is_outside_its_engine(module: Path) -> None:
    """Neither in code nor in comments: a sentence about llama.cpp belongs to its engine."""
    assert WORDS.findall(module.read_text()) == []


def test_a_plugin_is_checked_for_all_members_of_an_engine() -> None:
    """Those of the launch, too, which the protocol inherits."""
    assert {"kind", "abilities", "gpu_devices", "prepare", "check", "reason_for_exit"} <= set(_MEMBERS)
    assert set(_MEMBERS) == {name for name in dir(Engine) if not name.startswith("_")}
