"""The command line: parse, one call, render. Importing it must stay quick, for ``--help`` and completion."""

import time

STARTED_S = time.monotonic()
"""As near as can be to the moment when the user pressed Enter."""


def main() -> None:
    """Run the command that the arguments name."""
    import sys

    from gglib.cli.streams import OutputError, give_up_output, prepare_streams

    prepare_streams()
    from gglib.cli.app import cli

    try:
        cli.main(prog_name="gglib")
    except OutputError as error:
        sys.exit(give_up_output(error))
