"""The output of ``gglib import`` for a configuration file."""

import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

from gglib.app.models.configurations import ConfigurationPlan
from gglib.cli.views import configurations
from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.models import GgufFacts, ModelSettings, NewModel
from gglib.core.profiles import Profile
from gglib.library.importers.configurations.plan import KnownModel, Leftover, LocalFile, Served, WantedModel
from gglib.library.importers.configurations.planned import PlannedModel, PlanState
from gglib.library.importers.configurations.setting_plan import SettingChange


def planned(name: str, served: Served, state: PlanState = PlanState.NEW, **fields: object) -> PlannedModel:
    """Return a model of a plan."""
    settings = ModelSettings(environment=(("TOKEN", "never-shown"), ("LD_PRELOAD", "never-imported")))
    wanted = WantedModel(where=f"models.{name}", name=name, served=served, settings=settings)
    return PlannedModel(wanted=wanted, state=state, name=name, **fields)  # type: ignore[arg-type] # by name


def new_file(path: str, **settings: object) -> NewModel:
    """Return a row of a file."""
    return NewModel(
        name="m",
        paths=(Path(path),),
        size_bytes=1,
        aliases=("x", "y"),
        facts=GgufFacts(architecture="llama"),
        settings=ModelSettings(**settings),  # type: ignore[arg-type] # by name
    )


FILE = planned(
    "file",
    LocalFile(Path("a.gguf")),
    new=new_file(
        "/m/a.gguf",
        context=64,
        engine_args=("--temp", "0.5"),
        extra_args=("--x", "a b"),
        environment=(("TOKEN", "never-shown"),),
    ),
    profiles=(Profile(name="filters"),),
)
TOKEN = (("TOKEN", "never-shown"),)
COMMAND_BACKEND = CommandBackend(argv=("serve", "--kw", '{{"a": 1}}', "{port}"))
COMMAND = planned(
    "command",
    COMMAND_BACKEND,
    new=replace(new_file(""), paths=(), aliases=(), settings=ModelSettings(environment=TOKEN)),
)
KNOWN = planned("known", KnownModel(), PlanState.KNOWN)
GAINING = planned(
    "gaining",
    UrlBackend(base_url="http://box/v1"),
    PlanState.CHANGED,
    aliases=("z",),
    settings={"context": UNLIMITED_CONTEXT},
)
PLAIN = planned("plain", LocalFile(Path("p.gguf")), new=new_file("/m/p.gguf"))
SKIPPED = planned(
    "gone", LocalFile(Path("b.gguf")), PlanState.SKIPPED, reason="It is missing.", instead="add it"
)


def plan(*models: PlannedModel, leftovers: tuple[Leftover, ...] = ()) -> ConfigurationPlan:
    """Return a plan with one setting."""
    change = SettingChange("hooks", "preload", [], ["a", "b"])
    return ConfigurationPlan(models, (change,), leftovers)


def test_a_row_for_each_model_that_is_not_skipped() -> None:
    """What serves it, and what it gets by the import; a model that is there twice has one row."""
    assert configurations.model_rows([FILE, COMMAND, GAINING, KNOWN, KNOWN, SKIPPED]) == [
        ("file", "new", "a.gguf", "64", "--temp 0.5 --x 'a b'", "x, y", "filters"),
        ("command", "new", "command serve", "-", "-", "-", "-"),
        ("gaining", "changed", "http://box/v1", "max", "-", "z", "-"),
        ("known", "known", "catalogue", "-", "-", "-", "-"),
    ]


def test_commands_are_shown_whole() -> None:
    """As for a shell, with the port's placeholder; of variables the names only. A file without them has no line."""
    assert list(configurations.command_lines([PLAIN, FILE, COMMAND, GAINING, KNOWN])) == [
        "The engine of 'file' runs with TOKEN in its environment.",
        """A request for 'command' runs (with TOKEN): serve --kw '{"a": 1}' '{port}'""",
        "A request for 'gaining' goes to http://box/v1.",
    ]


def test_reasons_are_listed_once() -> None:
    """Skipped models first; fields with the same reason share a line."""
    leftovers = (
        Leftover("a", "it is lost"),
        Leftover("b", "it differs", "'gglib alias'"),
        Leftover("c", "it is lost"),
    )
    assert list(configurations.leftover_lines(plan(SKIPPED, leftovers=leftovers))) == [
        "  models.gone: It is missing. Instead: add it.",
        "  a, c: it is lost.",
        "  b: it differs. Instead: 'gglib alias'.",
    ]


def test_settings_and_results() -> None:
    """Lists as the settings show them; one sentence for each model that something happened to."""
    assert configurations.setting_rows(plan()) == [("preload", "-", "a, b", "hooks")]
    done = [
        planned("a", KnownModel(), PlanState.ADDED),
        planned("b", KnownModel(), PlanState.UPDATED),
        planned("c", KnownModel(), PlanState.FAILED, reason="The name is taken"),
        KNOWN,
    ]
    assert list(configurations.result_lines(plan(*done))) == [
        "Added 'a'.",
        "Changed 'b'.",
        "'c' was not imported: The name is taken.",
    ]


def test_json_has_no_values_of_variables() -> None:
    """Their names are enough."""
    shown = configurations.as_json(plan(FILE, COMMAND, GAINING, SKIPPED))
    assert "never-shown" not in repr(shown)
    models = shown["models"]
    assert isinstance(models, list)
    assert [model["context"] for model in models] == [64, None, "max", None]
    assert models[0]["path"] == "/m/a.gguf"
    assert models[1]["command"] == ["serve", "--kw", '{{"a": 1}}', "{port}"]


def test_the_plan_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Models, what they run, settings, and what is not imported, without control characters."""
    configurations.show(plan(COMMAND, SKIPPED, leftovers=(Leftover("a\x1b[2J", "it is lost"),)))
    assert capsys.readouterr().out.splitlines() == [
        "MODEL    IMPORT  SERVED BY      CTX  OPTIONS  ALIASES  PROFILES",
        "command  new     command serve  -    -        -        -",
        """A request for 'command' runs (with TOKEN): serve --kw '{"a": 1}' '{port}'""",
        "",
        "SETTING  NOW  THEN  FROM",
        "preload  -    a, b  hooks",
        "",
        "Not imported:",
        "  models.gone: It is missing. Instead: add it.",
        "  a\\x1b[2J: it is lost.",
    ]


def test_empty_parts_of_a_plan_have_no_heading(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty plan prints nothing; one with skipped models only prints the list of what is not imported."""
    configurations.show(ConfigurationPlan((), (), ()))
    assert capsys.readouterr().out == ""
    configurations.show(ConfigurationPlan((SKIPPED,), (), ()))
    assert capsys.readouterr().out == "\nNot imported:\n  models.gone: It is missing. Instead: add it.\n"


def test_a_narrow_terminal_keeps_what_the_import_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names, states and options of models, and both values of a setting; other columns are left out."""
    monkeypatch.setenv("COLUMNS", "24")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    configurations.show(plan(FILE))
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert lines[0].split() == ["MODEL", "IMPORT", "OPTIONS"]
    assert lines[-2].split() == ["SETTING", "NOW", "THEN"]
