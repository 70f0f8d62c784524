"""Which program a configuration file is of."""

import pytest

from gglib.library.importers.configurations.programs import program_of


@pytest.mark.parametrize(
    ("file", "program"),
    [
        ("config.yaml", "llama-swap"),
        ("/etc/a.YML", "llama-swap"),
        ("./presets.ini", "llama-cpp"),
        ("models", None),
        ("a.gguf", None),
        ("ini", None),
    ],
)
def test_the_suffix_decides(file: str, program: str | None) -> None:
    """Other names need the program before them."""
    assert program_of(file) == program
