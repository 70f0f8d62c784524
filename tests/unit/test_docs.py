"""The docs agree with the code."""

import ast
import re
from pathlib import Path

import click
import pytest

from gglib.app.clients.entries import KEY_VARIABLE
from gglib.app.clients.table import CLIENTS
from gglib.app.settings import SETTINGS, Settings
from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS
from gglib.cli.help.synonyms import SYNONYMS
from gglib.cli.views.clients import client_rows
from gglib.core import errors
from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.http import chunked, request_head, request_reader
from gglib.http import errors as http_errors
from gglib.http.server import (
    acceptor,
    budget,
    connection,
    http_server,
)
from gglib.http.server.deadlines import LINGERING_S, TIMED_OUT_LINGERING_S
from gglib.proxy import errors as proxy_errors
from gglib.proxy import forward
from gglib.proxy.options import ProxyOptions
from gglib.proxy.routes.admin.events import REQUEST_EVENT_NAMES, SNAPSHOT
from gglib.proxy.routes.responses import EVENT_NAMES
from gglib.proxy.routes.table import OPERATIONS

ROOT = Path(__file__).parents[2]
TREES = ("src", "tests", "scripts", "bench")
API = (ROOT / "docs" / "api.md").read_text()
SETTINGS_PAGE = (ROOT / "docs" / "settings.md").read_text()
HTTP_SERVER = (ROOT / "docs" / "http-server.md").read_text()
CLIENTS_PAGE = (ROOT / "docs" / "clients.md").read_text()
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text()
NOT_FOR_CLIENTS = {"already_running", "engine_install_failed"}
"""Errors of the command line, which no request can cause."""


@pytest.mark.parametrize("spec", SETTINGS, ids=lambda spec: spec.key)
def test_every_setting_is_documented_with_its_default(spec: object) -> None:
    """Key, variable, default, meaning, and whether a reload applies it, are in one row."""
    spec = next(known for known in SETTINGS if known is spec)
    default = getattr(Settings(home=Path("/")), spec.field)
    row = f"| `{spec.key}` | `{spec.env}` | {written(default)} | {spec.help} | {'yes' if spec.is_live else 'no'} |"
    assert row in SETTINGS_PAGE


def written(value: object) -> str:
    """Return a built-in value as the docs write it; nothing for none."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or value in ((), {}) else str(value)


def test_the_built_in_alias_is_documented() -> None:
    """For users of the settings, and of the API."""
    assert f"`{IN_MEMORY_ALIAS}` is built in" in SETTINGS_PAGE
    assert f"requests for `{IN_MEMORY_ALIAS}` use the model in memory" in API


def test_settings_page_has_no_obsolete_row() -> None:
    """A removed setting leaves the page."""
    assert len(re.findall(r"^\| `\w+` \|", SETTINGS_PAGE, re.MULTILINE)) == len(SETTINGS)


def test_every_route_is_documented_and_no_other() -> None:
    """The table of endpoints is the table of routes."""
    documented = re.findall(r"^\| `([A-Z]+) (/[^`]*)` \|", API.partition("\n## ")[0], re.MULTILINE)
    served = [(operation.spec.method, operation.spec.path) for operation in OPERATIONS]
    assert sorted(documented) == sorted(served)


def test_every_error_code_is_documented_and_no_other() -> None:
    """Each status and code of a response has a row."""
    named = [*vars(errors).values(), *vars(proxy_errors).values(), *vars(http_errors).values()]
    shown = (errors.GglibError, http_errors.HttpError)
    classes = [cls for cls in named if isinstance(cls, type) and issubclass(cls, shown)]
    raised = {
        (str(proxy_errors.status_of(cls)), cls.code) for cls in classes if cls.code not in NOT_FOR_CLIENTS
    }
    documented = set(re.findall(r"^\| (\d{3}) \| `(\w+)` \|", API, re.MULTILINE))
    assert documented == raised


def test_every_event_is_documented_and_no_other() -> None:
    """Each event name of ``GET /gglib/events`` has a row."""
    table = API.partition("\n### Events\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {
        *EVENT_NAMES.values(),
        *REQUEST_EVENT_NAMES.values(),
        SNAPSHOT,
    }


OPTIONS = ProxyOptions()
LIMIT_ROWS = {
    "line ends": f"up to {request_reader._MAX_EMPTY_LINES} empty lines",
    "request line length": f"{request_head.MAX_REQUEST_LINE_BYTES:,} bytes",
    "target length": f"{request_head.MAX_TARGET_BYTES // 1024} KiB",
    "header limits": f"{request_head.MAX_FIELDS} lines, {request_head.MAX_LINE_BYTES // 1024} KiB a line, "
    f"{request_head.MAX_HEAD_BYTES // 1024} KiB in all",
    "trailers": f"{request_head.MAX_FIELDS} lines, {request_head.MAX_LINE_BYTES // 1024} KiB a line, "
    f"{request_head.MAX_HEAD_BYTES // 1024} KiB in all",
    "`Content-Length`": f"1 to {request_head._MAX_LENGTH_DIGITS} digits",
    "chunk size": f"its line is at most {chunked.MAX_SIZE_LINE_BYTES} bytes",
    "pipelining": f"{connection.MAX_PIPELINED_BYTES // 1024} KiB are read ahead. If more data waits for "
    f"{connection.PIPELINE_WAIT_S:g} s",
    "number of chunks": f"{chunked.CHUNK_ALLOWANCE:,}, and one more for each {chunked.BYTES_PER_EXTRA_CHUNK} bytes",
    "bodies of all requests": f"beyond the first {budget.UNCOUNTED_BYTES // 1024} KiB of each",
    "wait for body memory": f"{OPTIONS.body_timeout_s:g} s",
    "unread body": f"if {connection.MAX_DISCARDED_BODY_BYTES // 1024} KiB or less",
    "head": f"{OPTIONS.head_timeout_s:g} s from its first byte",
    "body": f"{OPTIONS.body_timeout_s:g} s, and 1 s more for each {OPTIONS.body_min_rate:,} bytes received, "
    f"but never more than {OPTIONS.body_timeout_s:g} s ahead",
    "idle connection": f"{OPTIONS.idle_timeout_s:g} s",
    "unread response": f"{OPTIONS.write_timeout_s:g} s without",
}


@pytest.mark.parametrize(("what", "limit"), LIMIT_ROWS.items(), ids=LIMIT_ROWS)
def test_the_limits_of_the_http_server_are_documented(what: str, limit: str) -> None:
    """Each number in the tables is the constant in the code."""
    (row,) = re.findall(rf"^\| {re.escape(what)} \| (.*) \|$", HTTP_SERVER, re.MULTILINE)
    assert re.search(rf"(?<!\d){re.escape(limit)}\b", row)


def test_the_time_of_a_lingering_close_is_documented() -> None:
    """The introduction has both times."""
    page = " ".join(HTTP_SERVER.split())
    assert (
        f"discarded for up to {LINGERING_S:g} s after the client has read the response, and for "
        f"{TIMED_OUT_LINGERING_S:g} s" in page
    )


def test_every_repeated_header_is_documented_with_its_rule() -> None:
    """The table of repeated headers is that of the code."""
    table = HTTP_SERVER.partition("## Repeated headers")[2].partition("\n## ")[0]
    documented = {
        name.lower().encode(): rule
        for names, rule in re.findall(r"^\| (`.*`) \| (.*) \|$", table, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", names)
    }
    assert documented.keys() == request_head.REPEAT_RULES.keys()
    for name, rule in documented.items():
        assert rule.startswith(request_head.REPEAT_RULES[name].value)


def test_the_slices_of_an_iteration_are_documented() -> None:
    """So are the reserved descriptors, and how late a deadline is enforced."""
    page = " ".join(HTTP_SERVER.split())
    assert f"one parses {chunked.MAX_CHUNKS_PER_CALL} chunks per iteration" in page
    assert f"an upload reads {connection.MAX_BODY_BYTES_PER_TURN // 1024} KiB before" in page
    assert (
        f"a body over {forward._SHORT_BODY_BYTES // 1024} KiB is scanned in an iteration of its own" in page
    )
    assert f"keeps {acceptor.RESERVED_DESCRIPTORS} descriptors for that, and" in page
    assert f"leaves {acceptor.SPARE_DESCRIPTORS} to engines" in page
    assert f"{http_server._MIN_CHECK_INTERVAL_S:g} s late at most" in page


def test_every_link_between_the_docs_resolves() -> None:
    """Each linked page and section exists."""
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")):
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
            linked = (page.parent / target).resolve() if target else page
            assert linked.exists(), f"{page.name}: {target}"
            if anchor:
                titles = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_command_is_documented() -> None:
    """The page of commands has all of them in one table."""
    table = COMMANDS_PAGE.partition("\n## ")[0]
    words = set(re.findall(r"[`· ](\w+)", table))
    assert set(COMMANDS) <= words


def test_every_synonym_is_documented() -> None:
    """With the command that it is."""
    words = COMMANDS_PAGE.partition("\n## Names and words\n")[2].partition("\n## ")[0]
    assert all(f"`gglib {word}`" in words and f"`{name}`" in words for word, name in SYNONYMS.items())


def test_the_commands_without_json_are_documented_and_no_other() -> None:
    """All others print JSON, those of groups, too."""
    lacking = [
        name if command.name == name else f"{name} {command.name}"
        for name in COMMANDS
        for command in _leaves(cli.get_command(click.Context(cli), name))
        if not any("--json" in option.opts for option in command.params)
    ]
    sentence = COMMANDS_PAGE.partition("All commands take `--json`, except ")[2].partition(".")[0]
    assert sorted(re.findall(r"`([\w ]+)`", sentence)) == sorted(lacking)


def _leaves(command: click.Command | None) -> list[click.Command]:
    assert command is not None
    return list(command.commands.values()) if isinstance(command, click.Group) else [command]


def test_every_client_is_documented_as_in_the_table() -> None:
    """With what it speaks, how it is connected, and the version that was run."""
    table = CLIENTS_PAGE.partition("<!-- clients")[2].partition("<!-- end of clients")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines() if row.startswith("| `")]
    assert [[name.strip("`"), *cells] for name, *cells in rows] == client_rows(CLIENTS)


def test_the_settings_of_every_launch_are_documented() -> None:
    """One row for each program; the sizes of the prompts are those of the code, and the variable is the one of keys."""
    table = CLIENTS_PAGE.partition("| Program |")[2].partition("\n\n")[0]
    programs = {client.name: client.program for client in CLIENTS if client.program is not None}
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(programs)
    for program in programs.values():
        assert f"{program.prompt_tokens:,}" in CLIENTS_PAGE or not program.prompt_tokens
    assert f"`{KEY_VARIABLE}`" in CLIENTS_PAGE


def test_scripts_and_targets_in_contributing_exist() -> None:
    """A script that is renamed or removed leaves the page."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    scripts = re.findall(r"`([\w*]+\.py)`", page)
    assert scripts
    assert not [name for name in scripts if not list((ROOT / "scripts").glob(name))]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", page, re.MULTILINE)) <= set(targets)


def test_every_module_that_the_docs_name_exists() -> None:
    """A path like ``proxy/forward.py`` in a page is the end of a path in the tree, so renames reach the docs."""
    modules = {path.relative_to(ROOT).as_posix() for top in TREES for path in (ROOT / top).rglob("*.py")}
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")):
        for name in re.findall(r"`([\w/]+\.py)`", page.read_text()):
            assert any(f"/{module}".endswith(f"/{name}") for module in modules), f"{page.name}: {name}"


def _tests_of(module: Path) -> set[str]:
    """Return the tests of a module as pytest names them: ``test_x``, ``TestY::test_x``."""
    found = set()
    for node in ast.parse(module.read_text()).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        functions = (
            member for member in members if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        found |= {f"{prefix}{function.name}" for function in functions if function.name.startswith("test_")}
    return found


def test_every_test_that_the_docs_name_exists() -> None:
    """``tests/unit/test_docs.py::test_x`` in a page can be passed to pytest, so renames reach the docs."""
    named: dict[str, set[str]] = {}
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")):
        for module, test in re.findall(r"`(tests/[\w/.]+\.\w+)::([^`]+)`", page.read_text()):
            named.setdefault(module, set()).add(test)
    assert named
    missing = {
        module: tests - known
        for module, tests in named.items()
        if tests - (known := _tests_of(ROOT / module) if (ROOT / module).is_file() else set())
    }
    assert not missing


def test_every_row_about_the_command_line_names_a_test() -> None:
    """A behaviour without a test is not recorded as one that holds."""
    page = (ROOT / "docs" / "cli-behaviour.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| Typed")]
    assert len(rows) > 50
    assert not [row for row in rows if "`tests/" not in row or row.count(" | ") != 3]
