"""The command line: parse, one call, render. Importing it must stay quick, for ``--help`` and completion."""

import time

STARTED_S = time.monotonic()
"""As near as can be to the moment when the user pressed Enter."""


def main() -> None:
    """Run the command that the arguments name."""
    from gglib.cli.app import cli

    cli.main(prog_name="gglib")
