"""Groups of commands that suggest a command for an unknown word."""

import click

from gglib.cli.help.synonyms import INSTEAD_IN, unknown_command


class SuggestingGroup(click.Group):
    """A group whose error for an unknown word names similar commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of the first argument, under its own name if that is a synonym, and the others.

        Raises ``click.UsageError`` (exit code 2) for an unknown word.
        """
        word = args[0]
        if self.get_command(ctx, word) is None and not ctx.resilient_parsing and word[:1] != "-":
            raise click.UsageError(self.unknown_command_message(ctx, word), ctx)
        _, command, rest = super().resolve_command(ctx, args)
        return None if command is None else command.name, command, rest

    def unknown_command_message(self, ctx: click.Context, word: str) -> str:
        """Return the message for an unknown word."""
        return unknown_command(word, self.list_commands(ctx), INSTEAD_IN.get(self.name or "", {}))
