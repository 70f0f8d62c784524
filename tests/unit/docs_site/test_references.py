"""The pages of the documentation site that are made from the code have everything, and only what is there."""

import re

import click
import pytest
from scripts.docs_site.cli_reference import cli_reference
from scripts.docs_site.http_reference import http_reference
from scripts.docs_site.markdown import code, table, text
from scripts.docs_site.python_reference import python_reference

from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS
from gglib.proxy.docs.openapi import document
from gglib.proxy.routes.table import OPERATIONS


@pytest.fixture(scope="module")
def commands_page() -> str:
    """Return the reference of the command line."""
    return cli_reference(cli)


def test_every_command_and_option_is_there(commands_page: str) -> None:
    """Also those of subcommands, each in the part of its command."""
    parts = dict(
        re.findall(r"^### (gglib [\w -]+)\n(.*?)(?=^##)", commands_page + "\n##", re.DOTALL | re.MULTILINE)
    )
    root = click.Context(cli, info_name="gglib")

    def check(command: click.Command, context: click.Context) -> None:
        part = parts.pop(context.command_path)
        for param in command.get_params(context):
            if isinstance(param, click.Option) and not param.hidden and param.name != "help":
                assert all(name in part for name in (*param.opts, *param.secondary_opts)), (
                    context.command_path
                )
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                sub = command.get_command(context, name)
                assert sub is not None
                check(sub, click.Context(sub, info_name=name, parent=context))

    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        check(command, click.Context(command, info_name=name, parent=root))
    assert not parts


def test_examples_are_code(commands_page: str) -> None:
    """As they are typed, in lines of their own."""
    assert "Examples:\n\n```text\ngglib up\ngglib up --yes --max-models auto\n```" in commands_page


def test_every_route_and_type_is_there() -> None:
    """Every link to a type has its heading."""
    specs = [operation.spec for operation in OPERATIONS]
    page = http_reference(document(specs, version="1"))
    for spec in specs:
        assert f"### `{spec.method} {spec.path}`" in page
    headings = {name.lower() for name in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    links = set(re.findall(r"\]\(#(\w+)\)", page))
    assert links
    assert links <= headings


def test_public_names_are_inserted() -> None:
    """Names that begin with an underscore are not."""
    page = python_reference([("Ports", "gglib.core.ports", ["RunningTarget", "__version__"])])
    assert "::: gglib.core.ports.RunningTarget" in page
    assert "__version__" not in page


def test_plain_text_has_no_markup_left() -> None:
    """Quoted words are code; what Markdown cannot escape is an entity."""
    assert text("a_b 'x|y' <c> it's [d]") == r"a\_b <code>x&#124;y</code> &lt;c> it's \[d\]"
    assert code("--a") == "`--a`"
    assert code("a<b") == "<code>a&lt;b</code>"
    assert table(("A", "B"), [("x\ny", "z")]) == "| A | B |\n| --- | --- |\n| x y | z |"
