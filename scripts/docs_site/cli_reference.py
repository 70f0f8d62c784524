"""Writes the reference of the command line from its parsers: every command and every option. Pure."""

import re
from collections.abc import Iterator

import click
from scripts.docs_site.markdown import code, table, text

from gglib.cli.command_names import GROUPS, HEADINGS

_INTRODUCTION = (
    "Made from the program's own parsers: what `gglib COMMAND --help` shows. "
    "[Commands](../commands.md) describes how they work together, and what they print."
)


def cli_reference(root: click.Group) -> str:
    """Return the page."""
    context = click.Context(root, info_name="gglib")
    parts = ["# Commands and options", _INTRODUCTION, "## Options of all commands", _options(root, context)]
    for package, names in GROUPS.items():
        parts.append(f"## {HEADINGS[package]}")
        for name in names:
            command = root.get_command(context, name)
            if command is not None:
                parts += _command(command, click.Context(command, info_name=name, parent=context))
    return "\n\n".join(filter(None, parts)) + "\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the parts of a command, then those of its subcommands."""
    yield f"### {context.command_path}"
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```"
    yield from _paragraphs(command.help or "")
    yield _options(command, context)
    yield from _paragraphs(command.epilog or "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            sub = command.get_command(context, name)
            if sub is not None and not sub.hidden:
                yield from _command(sub, click.Context(sub, info_name=name, parent=context))


def _options(command: click.Command, context: click.Context) -> str:
    options = (
        param
        for param in command.get_params(context)
        if isinstance(param, click.Option) and param.name != "help"
    )
    records = [record for option in options if (record := option.get_help_record(context))]
    if not records:
        return ""
    return table(("Option", "What it does"), ((code(names), text(help_)) for names, help_ in records))


def _paragraphs(help_text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those that click does not wrap are code, without their first line."""
    for paragraph in re.split(r"\n\s*\n", help_text.strip()):
        if not paragraph.startswith("\b"):
            yield text(" ".join(paragraph.split()))
            continue
        lines = [line.strip() for line in paragraph.splitlines()[1:]]
        if lines and lines[0].endswith(":") and not lines[0].startswith("gglib"):
            yield text(lines.pop(0))
        yield "```text\n" + "\n".join(lines) + "\n```"
