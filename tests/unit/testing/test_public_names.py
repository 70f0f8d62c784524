"""The package's public names exist, and are imported lazily."""

import subprocess
import sys

import pytest

import gglib.testing


@pytest.mark.parametrize("name", gglib.testing.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    """What ``__all__`` lists exists."""
    assert getattr(gglib.testing, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Lazy loading does not swallow a misspelling."""
    with pytest.raises(AttributeError, match="Nothing"):
        _ = gglib.testing.Nothing


def test_the_scripted_server_loads_neither_asyncio_nor_core_for_its_help() -> None:
    """It has to start fast: the fakes and their imports stay out."""
    code = (
        "import sys, gglib.testing.scripted_server.process;"
        "sys.exit(bool({'asyncio', 'gglib.core', 'subprocess'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
