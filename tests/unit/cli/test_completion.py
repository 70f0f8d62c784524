"""Completion: what a TAB offers, apart from the shells."""

import asyncio
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem
from hypothesis import given
from hypothesis import strategies as st

from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS
from gglib.cli.completion import candidates, completers
from gglib.cli.completion.answer import answer, complete
from gglib.cli.completion.bash_words import CommandLine, replies, split_line
from gglib.cli.completion.candidates import QUANTIZATIONS, HomeNames, matching, model_names, pull_targets
from gglib.cli.completion.completers import completer_of
from gglib.core.hub.quantizations import label_of
from gglib.core.profiles import SEPARATOR

BREAKS = " \t\n\"'><=;|&(:"
HOME = HomeNames(
    names=("smollm2", "my model", "llama3:8b"),
    aliases=("gpt-4",),
    keys=("alice",),
    profiles=(("creative", "smollm2"), ("brief", None)),
    repositories=("unsloth/Tiny-GGUF",),
    engines=("b11462-vulkan", "b11463-cpu"),
)


@pytest.mark.parametrize(
    ("line", "words", "quote", "breaks"),
    [
        ("gglib ", ("gglib", ""), "", 0),
        ("gglib run", ("gglib", "run"), "", 0),
        ("gglib  run  x", ("gglib", "run", "x"), "", 0),
        ("gglib run a:b", ("gglib", "run", "a:b"), "", 2),
        ("gglib run a:", ("gglib", "run", "a:"), "", 2),
        ("gglib --model=a:b", ("gglib", "--model=a:b"), "", 10),
        ("gglib run 'a:b c", ("gglib", "run", "a:b c"), "'", 0),
        ('gglib run "a\\"b\\n', ("gglib", "run", 'a"b\\n'), '"', 0),
        ("gglib run a\\ b", ("gglib", "run", "a b"), "", 0),
        ("gglib run a\\:b", ("gglib", "run", "a:b"), "", 0),
        ("gglib run ''", ("gglib", "run", ""), "", 0),
        ("gglib run '' ", ("gglib", "run", "", ""), "", 0),
        ("gglib run a\\", ("gglib", "run", "a"), "", 0),
        ("", ("",), "", 0),
    ],
)
def test_line_is_split_as_bash_does(line: str, words: tuple[str, ...], quote: str, breaks: int) -> None:
    """Quotes and backslashes are removed; the last word may be unfinished, or not begun."""
    assert split_line(line, BREAKS) == CommandLine(words=words, quote=quote, unquoted_breaks=breaks)


@pytest.mark.parametrize(
    ("line", "values", "expected"),
    [
        ("gglib run sm", ["smollm2"], ["smollm2"]),
        ("gglib run llama3:", ["llama3:8b"], ["8b"]),
        ("gglib run LLAMA3:", ["llama3:8b"], ["8b"]),
        ("gglib run llama", ["llama3:8b"], ["llama3:8b"]),
        ("gglib run 'llama3:", ["llama3:8b"], ["llama3:8b"]),
        ("gglib x --model=sm", ["--model=smollm2"], ["smollm2"]),
        ("gglib run my", ["my model"], ["my\\ model"]),
        ("gglib run 'my", ["my model", "it's"], ["my model", "it'\\''s"]),
        ('gglib run "my', ["my model", "a$b"], ["my model", "a\\$b"]),
        ("gglib run ", ["a;rm -rf b", "Große", "x/y@main"], ["a\\;rm\\ -rf\\ b", "Große", "x/y@main"]),
    ],
)
def test_reply_is_what_bash_inserts(line: str, values: list[str], expected: list[str]) -> None:
    """Without what stands before the last word break, and quoted as the user has begun."""
    assert replies(values, split_line(line, BREAKS)) == expected


NAMES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"]), min_size=1
)


@given(NAMES, st.sampled_from(["", "'", '"']))
def test_inserted_name_is_read_back(name: str, quote: str) -> None:
    """Whatever is in a name: the shell passes on the same name."""
    line = split_line(f"gglib run {quote}", BREAKS)
    (inserted,) = replies([name], line)
    if quote == '"' and "!" in name:
        return  # bash keeps the backslash before '!' in double quotes
    again = split_line(f"gglib run {quote}{inserted}{quote} ", BREAKS)
    assert again.words == ("gglib", "run", name, "")


@pytest.mark.parametrize(
    ("incomplete", "expected"),
    [
        ("", ["smollm2", "my model", "llama3:8b", "gpt-4"]),
        ("sm", ["smollm2"]),
        ("SM", ["smollm2"]),  # names are resolved ignoring case
        ("llama3:", ["llama3:8b"]),
        ("smollm2:", ["smollm2:creative", "smollm2:brief"]),
        ("llama3:8b:", ["llama3:8b:brief"]),
        ("gpt-4:", ["gpt-4:brief"]),
        ("nothing", []),
    ],
)
def test_model_is_completed(incomplete: str, expected: list[str]) -> None:
    """Names, aliases, and after a ':' profiles."""
    assert model_names(HOME, incomplete) == expected


@pytest.mark.parametrize(
    ("incomplete", "expected"),
    [
        ("", ["unsloth/Tiny-GGUF"]),
        ("uns", ["unsloth/Tiny-GGUF"]),
        ("a/b:Q8", ["a/b:Q8_0"]),
        ("a/b:q4_k_m", ["a/b:Q4_K_M"]),
        ("https://x/y:Q8", []),
    ],
)
def test_target_of_a_pull_is_completed(incomplete: str, expected: list[str]) -> None:
    """Known repositories, and the usual quantizations of any."""
    assert pull_targets(HOME, incomplete) == expected


def test_separator_is_that_of_profiles() -> None:
    """Written twice, because completion has to be quick."""
    assert candidates.SEPARATOR == SEPARATOR


def test_quantizations_are_spelled_as_files_are() -> None:
    """Each is a label that gglib reads from file names."""
    assert [label_of(f"m-{label}.gguf") for label in QUANTIZATIONS] == list(QUANTIZATIONS)


def test_exact_case_comes_before_others() -> None:
    """Only without an exact beginning is case ignored; duplicates are offered once."""
    assert matching(["Ab", "ab", "ab"], "a") == ["ab"]
    assert matching(["Ab", "AB"], "a") == ["Ab", "AB"]


FREE_ARGUMENTS = {
    "run.prompt",
    "search.query",
    "launch.arguments",
    "completion.shell",
    "requests.words",
    "engine.pattern",
    "node.url",
    "node.address",
}
"""Arguments whose values cannot be known, or which are choices of click's."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_completed(name: str) -> None:
    """A new argument gets a completer, or is listed as free."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    commands = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
    arguments = [
        param.name for each in commands for param in each.params if isinstance(param, click.Argument)
    ]
    missing = {f"{name}.{argument}" for argument in arguments if completer_of(name, argument or "") is None}
    assert missing <= FREE_ARGUMENTS


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completers, "home_names", lambda _: HOME)


def values(*words: str) -> list[str]:
    """Return the candidates for the last word."""
    return [item.value for item in complete(words)[1]]


@pytest.mark.usefixtures("_known")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("pi",), ["pin"]),
        (("profile", "s"), ["set", "show"]),
        (("list", "--j"), ["--json"]),
        (("load", "--ctx", "4", "sm"), ["smollm2"]),
        (("unload", "sm"), ["smollm2"]),
        (("connect", "--model", "sm"), ["smollm2"]),
        (("connect", "--model=sm"), ["--model=smollm2"]),
        (("launch", "--model", "x", "code"), ["codex"]),
        (("launch", "zed"), []),  # not a program that is launched
        (("connect", "zed"), ["zed"]),
        (("alias", "gp"), ["gpt-4"]),
        (("alias", "new", "smollm2", "my"), ["my model"]),
        (("profile", "show", "cr"), ["creative"]),
        (("set", "smollm2", "--priority", "b"), ["batch"]),
        (("set", "smollm2", "--keep-conversations", "o"), ["on", "off"]),
        (("key", "new", "laptop", "--priority", ""), ["interactive", "batch"]),
        (("import", "o"), ["ollama"]),
        (("import", "llama"), ["llama-swap", "llama-cpp"]),
        (("requests", "--status", ""), ["2xx", "4xx", "5xx", "failed"]),
        (("requests", "--key", "al"), ["alice"]),
        (("requests", "--model", "sm"), ["smollm2"]),
        (("requests", "--profile", "cr"), ["creative"]),
        (("requests", "--client", ""), []),
        (("usage", "--by", "k"), ["key"]),
        (("usage", "--by", "key,"), ["key,day", "key,hour", "key,model", "key,client"]),
        (("usage", "--key", ""), ["alice"]),
        (("engine", "use", "b11462"), ["b11462-vulkan"]),
        (("engine", "use", "e"), ["embedded"]),
        (("engine", "remove", ""), ["b11462-vulkan", "b11463-cpu"]),
        (("engine", "install", "vu"), ["vulkan"]),
        (("completion", "z"), ["zsh"]),
        (("search", "--sort", "d"), ["downloads"]),
        (("run", "smollm2", "sm"), []),  # a prompt
        (("frobnicate", "x"), []),
        (("list", "x"), []),
    ],
)
def test_word_is_completed(words: tuple[str, ...], expected: list[str]) -> None:
    """By the place of the word."""
    assert values(*words) == expected


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("add", "x"), "file"),
        (("backup", ""), "file"),
        (("add", "f", "--mmproj", "x"), "file"),
        (("add", "f", "--mmproj", "no"), "plain"),
        (("import", "./x"), "file"),
        (("--home", "x"), "dir"),
        (("serve", "--engine", "/usr"), "file"),
        (("engine", "install", "./x"), "file"),
        (("engine", "use", "/usr"), "file"),
        (("list", ""), "plain"),
    ],
)
def test_files_are_left_to_the_shell(words: tuple[str, ...], kind: str) -> None:
    """It knows their quoting."""
    assert complete(words)[0] == kind


@pytest.mark.usefixtures("_known")
def test_answer_has_help_for_zsh_and_fish() -> None:
    """A candidate and its help in one line; fish passes its last word as it is typed."""
    assert answer(["zsh", "gglib", "profile", "sh"]) == ["plain", "show\tShow one profile."]
    assert answer(["fish", "gglib", "run", "'my m"]) == ["plain", "my model\t"]
    assert answer(["bash", "gglib run llama3:", BREAKS]) == ["plain", "8b"]


@pytest.mark.usefixtures("_known")
def test_control_characters_of_names_do_not_reach_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """One candidate is one line."""
    item = CompletionItem("a\nb\x1bc", help="x\ty")
    monkeypatch.setattr("gglib.cli.completion.answer.complete", lambda _: ("plain", [item]))
    assert answer(["zsh", "gglib", ""]) == ["plain", "a b\\x1bc\tx y"]
    assert answer(["bash", "gglib ", BREAKS]) == ["plain"]


@pytest.mark.parametrize(
    ("key", "begun", "expected"),
    [
        ("log_level", "", ["debug", "info", "warning", "error"]),
        ("log_format", "j", ["json"]),
        ("insecure", "t", ["true"]),
        ("max_models", "", ["auto"]),
        ("default_model", "smo", ["smollm2"]),
        ("aliases.fast", "smo", ["smollm2"]),
        ("port", "", []),
    ],
)
def test_values_of_a_setting(
    monkeypatch: pytest.MonkeyPatch, key: str, begun: str, expected: list[str]
) -> None:
    """Those that are words; a number is the user's."""
    monkeypatch.setattr(completers, "home_names", lambda _: HOME)
    _, items = complete(["config", "set", key, begun])
    assert [item.value for item in items] == expected


def test_remote_server_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With --url or GGLIB_HOST the names of this home would be wrong ones; no name is resolved."""
    from gglib.cli.completion import home_names as module
    from gglib.db.catalog import SqliteCatalog

    async def create() -> None:
        async with SqliteCatalog(tmp_path / "gglib.db"):
            pass

    asyncio.run(create())
    (tmp_path / "config.toml").write_text('[aliases]\nfast = ["a"]\n"gpt-*" = "b"\n', encoding="utf-8")
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a name was resolved"))
    monkeypatch.delenv("GGLIB_HOST", raising=False)
    options = {"home": str(tmp_path)}
    assert module.read_home_names(options) == HomeNames(aliases=("fast",))
    assert module.read_home_names({**options, "url": "http://box"}) == HomeNames()
    for host in ("box", "box:8080", "not an address"):
        monkeypatch.setenv("GGLIB_HOST", host)
        assert module.read_home_names(options) == HomeNames()
    monkeypatch.setenv("GGLIB_HOST", "127.0.0.1")
    assert module.read_home_names(options).aliases == ("fast",)


def test_broken_configuration_has_no_names(tmp_path: Path) -> None:
    """An error in config.toml is no reason for a message in the middle of a line."""
    from gglib.cli.completion.home_names import read_home_names

    (tmp_path / "config.toml").write_text("port = ", encoding="utf-8")
    (tmp_path / "gglib.db").write_text("not a database", encoding="utf-8")
    assert read_home_names({"home": str(tmp_path)}) == HomeNames()
