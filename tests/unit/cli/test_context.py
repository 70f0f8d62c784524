"""The settings of a command, and their warnings."""

from pathlib import Path

import pytest

from gglib.cli.context import Options

WARNING = "Warning: Unknown environment variable GGLIB_MAX_MODLES: did you mean GGLIB_MAX_MODELS"


def test_a_warning_is_printed_once_in_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Although several parts of it load the settings; a server that loads them again reports by itself."""
    monkeypatch.setenv("GGLIB_MAX_MODLES", "3")
    options = Options(home=str(tmp_path))
    options.load()
    options.tolerant_settings(is_quiet=True)
    assert capsys.readouterr().err == ""
    options.settings()
    options.settings(port="1")
    options.tolerant_settings()
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count(WARNING), printed.err.count("\n")) == ("", 1, 1)


def test_values_that_are_not_used_are_printed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is used in their place."""
    monkeypatch.setenv("GGLIB_PORT", "many")
    options = Options(home=str(tmp_path))
    for _ in range(2):
        assert options.tolerant_settings().port == 8080
    printed = capsys.readouterr().err
    assert printed.count("GGLIB_PORT is 'many'") == 1
    assert printed.endswith("The defaults are used here.\n")
