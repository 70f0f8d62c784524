"""The command line: parses arguments, makes one call, renders the result. Must import fast, for ``--help``."""

import time

STARTED_S = time.monotonic()
"""Approximate time at which the user started the command."""


def main() -> None:
    """Run the command in the arguments."""
    import sys

    from gglib.cli.terminal.streams import OutputError, prepare_streams, report_output_error

    prepare_streams()
    if sys.argv[1:2] == ["__complete"]:  # the scripts of ``gglib completion``
        from gglib.cli.completion import answer

        answer.main(sys.argv[2:])
        return
    from gglib.cli.app import cli
    from gglib.cli.help.hints import use_command_line

    use_command_line()
    try:
        cli.main(prog_name="gglib")
    except OutputError as error:
        sys.exit(report_output_error(error))
