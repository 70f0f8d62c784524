"""The help pages: whole sentences at any width, bold headings, examples, and the page of ``gglib`` alone."""

import os
from collections.abc import Sequence
from typing import Any

import click

from gglib.cli.help.groups import SuggestingGroup
from gglib.cli.terminal.colours import colour_choice

START_PAGE = """\
gglib serves every GGUF model on this machine at one OpenAI-compatible address.

Begin with one of these:

  gglib up                 set up, start, and test that a model answers
  gglib search qwen coder  find models on the Hugging Face hub
  gglib pull OWNER/NAME    download one
  gglib list               list the models on this machine
  gglib run MODEL          chat with one in this terminal
  gglib connect            show the settings of editors, agents and libraries

'gglib --help' lists all commands, 'gglib COMMAND --help' the options of one.
"""
"""The output of ``gglib`` without a command."""

EXAMPLES = {
    "up": ("up", "up --yes --max-models auto"),
    "serve": ("serve", "serve --port 8090 --memory 20G"),
    "run": ("run coder", "run coder 'Write a haiku about swap space'", "run coder < question.txt"),
    "launch": ("launch claude", "launch codex --model coder"),
    "dashboard": ("dashboard > gglib.json", "dashboard --scrape-config > prometheus.yml"),
    "cluster": ("cluster init", "cluster status"),
    "node add": (
        "node add box:8080 --key-env BOX_KEY",
        "node add https://box.lan --name gpu1 --key-env BOX_KEY --ca box.pem",
    ),
    "search": ("search qwen coder", "search --max-size 8G --sort likes llama"),
    "pull": (
        "pull bartowski/Qwen2.5-7B-Instruct-GGUF",
        "pull bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M --alias coder",
        "pull",
    ),
    "add": (
        "add ~/models/coder-Q4_K_M.gguf",
        "add ./coder.gguf --name coder --ctx 16384",
        "add --command 'python3 server.py {port}' --name mine",
        "add --url http://box:8000/v1 --key-env BOX_KEY",
    ),
    "set": ("set coder --ctx 32768 --idle-ttl 10m", "set coder --add-alias gpt-4o"),
    "tune": ("tune coder --dry-run", "tune coder --ctx 16384 --only threads,batch"),
    "alias": ("alias gpt-4o coder", "alias fast qwen-4b smollm2", "alias --rm fast"),
    "engine": (
        "engine install",
        "engine install cuda-12.8",
        "engine install ~/Downloads/llama-b11462-bin-ubuntu-vulkan-x64.tar.gz",
        "engine use --previous",
    ),
    "requests": (
        "requests --failed --since today",
        "requests --model coder --slow 30",
        "requests -f",
        "requests --cancel 0000001f",
    ),
    "usage": ("usage --by key,model --since 30d", "usage --by hour --csv"),
}
"""Lines that can be typed, without ``gglib``, by the words of the command."""


class BoldHeadings(click.HelpFormatter):
    """Writes bold headings, where the output has colours."""

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        self.write(f"{'':>{self.current_indent}}{click.style(f'{heading}:', bold=True)}\n")

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line ``Usage:``."""
        super().write_usage(prog, args, click.style("Usage:", bold=True) + " " if prefix is None else prefix)


class HelpContext(click.Context):
    """The context of commands whose pages have bold headings."""

    formatter_class = BoldHeadings


class HelpGroup(SuggestingGroup):
    """A group whose list of commands has their whole first sentences, wrapped instead of cut."""

    context_class = HelpContext

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> click.Context:
        """Return the context, with the colours that the environment chooses."""
        if parent is None:
            extra.setdefault("color", _colour())
        return super().make_context(info_name, args, parent, **extra)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, whose page is like that of this group."""
        command = super().get_command(ctx, cmd_name)
        if command is None:
            return None
        return with_help_style(command, EXAMPLES.get(f"{self.name} {command.name}", ()))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        self.write_commands("Commands", self.list_commands(ctx), ctx, formatter)

    def write_commands(
        self,
        heading: str,
        names: "list[str] | tuple[str, ...]",
        ctx: click.Context,
        formatter: click.HelpFormatter,
    ) -> None:
        """Write one section of the list of commands."""
        commands = [(name, self.get_command(ctx, name)) for name in names]
        rows = [(name, first_sentence(command)) for name, command in commands if command is not None]
        with formatter.section(heading):
            formatter.write_dl(rows)


def with_help_style(
    command: click.Command, examples: Sequence[str] = (), synonyms: Sequence[str] = ()
) -> click.Command:
    """Set the style of a command's page, with its examples and synonyms at the end; return the command."""
    command.context_class = HelpContext
    # Not only inherited from the root: click keeps the option that the first context of a command had.
    command.context_settings.setdefault("help_option_names", ["-h", "--help"])
    parts = []
    if examples:
        parts.append("\b\nExamples:" + "".join(f"\n  gglib {example}" for example in examples))
    if synonyms:
        parts.append(f"Also: {', '.join(f'gglib {word}' for word in synonyms)}.")
    if parts:
        command.epilog = "\n\n".join(parts)
    return command


def first_sentence(command: click.Command) -> str:
    """Return the first paragraph of a command's help."""
    paragraph = (command.help or "").strip().partition("\n\n")[0]
    return " ".join(paragraph.split())


def _colour() -> bool | None:
    return colour_choice(os.environ)
