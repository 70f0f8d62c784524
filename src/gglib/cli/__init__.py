"""The command line: parse, one call, render. Importing it must stay quick, for ``--help`` and completion."""

import time

STARTED_S = time.monotonic()
"""As near as can be to the moment when the user pressed Enter."""


def main() -> None:
    """Run the command that the arguments name."""
    import sys

    from gglib.cli.streams import OutputError, prepare_streams, report_output_error

    prepare_streams()
    from gglib.cli.app import cli

    try:
        cli.main(prog_name="gglib")
    except OutputError as error:
        sys.exit(report_output_error(error))
