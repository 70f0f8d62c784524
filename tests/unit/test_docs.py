"""Nothing that a user sees drifts from what the docs say."""

import re
from pathlib import Path

import pytest

from gglib.cli.app import COMMANDS
from gglib.core import errors
from gglib.proxy import errors as proxy_errors
from gglib.proxy.routes.table import ROUTES
from gglib.settings import SETTINGS, Settings

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "api.md").read_text()
SETTINGS_PAGE = (ROOT / "docs" / "settings.md").read_text()
README = (ROOT / "README.md").read_text()
NOT_FOR_CLIENTS = {"model_exists", "invalid_gguf", "already_running"}
"""Errors of the command line, which no request can cause."""


@pytest.mark.parametrize("spec", SETTINGS, ids=lambda spec: spec.key)
def test_every_setting_is_documented_with_its_default(spec: object) -> None:
    """Key, variable, default and meaning stand in one row."""
    spec = next(known for known in SETTINGS if known is spec)
    default = getattr(Settings(home=Path("/")), spec.field)
    row = f"| `{spec.key}` | `{spec.env}` | {written(default)} | {spec.help} |"
    assert row in SETTINGS_PAGE


def written(value: object) -> str:
    """Return a built-in value as people write it; nothing for none."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or value in ((), {}) else str(value)


def test_the_settings_page_has_no_row_too_many() -> None:
    """A setting that is gone leaves the page."""
    assert len(re.findall(r"^\| `\w+` \|", SETTINGS_PAGE, re.MULTILINE)) == len(SETTINGS)


def test_every_route_is_documented_and_no_other() -> None:
    """The table of endpoints is the table of routes."""
    documented = set(re.findall(r"^\| `(GET|POST) (/[^`]*)` \|", API, re.MULTILINE))
    routes = {(method, path) for path, methods in ROUTES.items() for method in methods if method != "HEAD"}
    assert documented == routes | {("GET", "/v1/models/{id}")}


def test_every_error_code_is_documented_and_no_other() -> None:
    """Each code that a client can get has a row."""
    classes = [*vars(errors).values(), *vars(proxy_errors).values()]
    codes = {cls.code for cls in classes if isinstance(cls, type) and issubclass(cls, errors.GglibError)}
    documented = set(re.findall(r"^\| \d{3} \| `(\w+)` \|", API, re.MULTILINE))
    assert documented == codes - NOT_FOR_CLIENTS


def test_every_command_is_in_the_readme() -> None:
    """A newcomer finds all of them in one table."""
    table = README.partition("## Commands")[2].partition("##")[0]
    words = set(re.findall(r"[`· ](\w+)", table))
    assert set(COMMANDS) <= words
