"""Every fault that scripts inject on purpose still has exactly one place in the sources."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("listed", "package"),
    [("file_faults.toml", "src/gglib"), ("promise_faults.toml", "src/gglib/runtime")],
)
def test_every_fault_has_one_place(listed: str, package: str) -> None:
    """A fault that no longer applies would be reported as undetected after minutes; this says so at once."""
    faults = tomllib.loads((ROOT / "scripts" / listed).read_text(encoding="utf-8"))["fault"]
    assert len(faults) > 10
    for fault in faults:
        source = (ROOT / package / fault["module"]).read_text(encoding="utf-8")
        assert source.count(fault["old"]) == 1, fault["what"]
