"""The command line: parses arguments, makes one call, renders the result. Must import fast, for ``--help``."""

import time

STARTED_S = time.monotonic()
"""Approximate time at which the user started the command."""


def main() -> None:
    """Run the command in the arguments."""
    import sys

    from gglib.cli.streams import OutputError, prepare_streams, report_output_error

    prepare_streams()
    from gglib.cli.app import cli

    try:
        cli.main(prog_name="gglib")
    except OutputError as error:
        sys.exit(report_output_error(error))
