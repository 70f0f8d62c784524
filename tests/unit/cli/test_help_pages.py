"""The whole ``--help`` page of each command, so that a review shows every change of a user's documentation."""

import pytest
from click.testing import CliRunner
from tests.support.golden import Golden

from gglib.cli.app import COMMANDS, cli


@pytest.mark.parametrize(
    "words", [(), *((name,) for name in COMMANDS)], ids=lambda words: "-".join(words) or "gglib"
)
def test_help_page_is_the_recorded_one(words: tuple[str, ...], golden: Golden) -> None:
    """``--help`` prints the recorded page at 80 columns."""
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="gglib", terminal_width=80)
    assert result.exit_code == 0
    assert result.stdout.startswith(" ".join(("Usage: gglib", *words)))
    assert golden(result.stdout)
