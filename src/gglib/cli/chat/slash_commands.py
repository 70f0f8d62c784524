"""The slash commands of a chat: lines that begin with a slash are for gglib, not for the model. Pure."""

import difflib
import re
from dataclasses import dataclass

OPEN_QUOTES = '"""'
"""Begins and ends a prompt of several lines."""


@dataclass(frozen=True, slots=True)
class CommandHelp:
    """A command, its arguments, and what it does."""

    name: str
    arguments: str
    what: str
    others: tuple[str, ...] = ()
    """Further spellings."""


COMMANDS = (
    CommandHelp("?", "", "shows this help", ("help",)),
    CommandHelp("clear", "", "forgets the conversation; the settings stay", ("new",)),
    CommandHelp("set", "[NAME VALUE]", "changes a setting: /set temperature 0.2; alone, shows all"),
    CommandHelp("show", "", "shows the model, the settings and the tokens used"),
    CommandHelp("model", "[NAME]", "goes on with another model; alone, lists them", ("models",)),
    CommandHelp("image", "FILE", "adds an image to the next prompt", ("img",)),
    CommandHelp("retry", "", "sends the last prompt again", ("again", "regenerate")),
    CommandHelp("more", "", "continues an answer that was stopped", ("continue",)),
    CommandHelp("save", "[NAME]", "saves the conversation"),
    CommandHelp("load", "[NAME]", "loads a saved conversation; alone, lists them"),
    CommandHelp("bye", "", "leaves, as does Ctrl-D", ("exit", "quit", "q")),
)
_SPELLINGS = {spelling: command.name for command in COMMANDS for spelling in (command.name, *command.others)}
_MULTI_LINE_COMMANDS = frozenset(("set",))
"""Commands whose argument may have several lines: a system prompt."""
_COMMAND = re.compile(r"/(\?|[A-Za-z]+)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text for the model."""

    text: str


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """One of ``COMMANDS`` and what follows it."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class UnknownCommand:
    """A line that looks like a command; it is not sent."""

    spelling: str
    nearest: str | None
    """A similar command; None if there is none."""

    @property
    def message(self) -> str:
        """The sentence for the user."""
        hint = f"did you mean /{self.nearest}?" if self.nearest else "/? lists the commands."
        return f"There is no /{self.spelling}: {hint} A second slash sends the line: //{self.spelling}"


def read_input(text: str) -> Prompt | SlashCommand | UnknownCommand:
    """Return what an input of the user means.

    ``//text`` is the prompt ``/text``, and ``\"\"\"text\"\"\"`` is the prompt ``text``. A path such as ``/etc/hosts``
    is a prompt, as is a text of several lines that begins with a slash, unless it is a command that takes several
    lines.
    """
    if text.lstrip().startswith(OPEN_QUOTES):
        return Prompt(unquoted(text))
    text = text.strip()
    if text.startswith("//"):
        return Prompt(text[1:])
    found = _COMMAND.match(text)
    if found is None:
        return Prompt(text)
    spelling, argument = found[1].lower(), text[found.end() :].strip()
    name = _SPELLINGS.get(spelling)
    if "\n" in text and name not in _MULTI_LINE_COMMANDS:
        return Prompt(text)
    if name is None:
        near = difflib.get_close_matches(spelling, _SPELLINGS, n=1)
        return UnknownCommand(found[1], near[0] if near else None)
    return SlashCommand(name, unquoted(argument))


def is_open(text: str) -> bool:
    """Whether an input has begun with three quotes that no line has closed yet; the quotes may follow a command."""
    body = text.lstrip()
    found = _COMMAND.match(body)
    if found is not None:
        argument = body[found.end() :].split(None, 1)
        body = (
            argument[1] if found[1].lower() == "set" and len(argument) == 2 else body[found.end() :].strip()
        )
    if not body.startswith(OPEN_QUOTES):
        return False
    rest = body[len(OPEN_QUOTES) :].rstrip()
    return not rest.endswith(OPEN_QUOTES)


def unquoted(text: str) -> str:
    """Return a text without the three quotes around it."""
    body = text.strip()
    if not body.startswith(OPEN_QUOTES):
        return text.strip()
    return body.removeprefix(OPEN_QUOTES).removesuffix(OPEN_QUOTES).strip("\n")


def help_lines() -> list[str]:
    """Return the lines of ``/?``."""
    calls = [f"/{command.name} {command.arguments}".rstrip() for command in COMMANDS]
    width = max(map(len, calls)) + 2
    lines = [f"{call:<{width}}{command.what}" for call, command in zip(calls, COMMANDS, strict=True)]
    keys = (
        ('"""', "begins and ends a prompt of several lines"),
        ("Ctrl-J", "starts a new line, as does Alt-Enter"),
        ("Ctrl-C", "stops an answer, and keeps what was said"),
        ("//TEXT", "sends /TEXT"),
    )
    return [*lines, "", *(f"{key:<{width}}{what}" for key, what in keys)]
