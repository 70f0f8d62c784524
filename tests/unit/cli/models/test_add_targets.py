"""Files, directories and models of the hub, as arguments of ``gglib add``."""

import pytest

from gglib.cli.models.add_targets import TargetKind, check_hub_target, check_is_file, kind_of_target
from gglib.core.errors import InvalidGgufError, VariantChoiceError

FILE, DIRECTORY, HUB = TargetKind.FILE, TargetKind.DIRECTORY, TargetKind.HUB
DIRECTORIES = {"models", "ada/local", "."}
PATHS = {*DIRECTORIES, "x.gguf", "models/x.gguf", "ada/tiny"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x.gguf", FILE),
        ("none.gguf", FILE),
        ("none", FILE),
        ("models", DIRECTORY),
        (".", DIRECTORY),
        ("models/x.gguf", FILE),
        ("models/none.gguf", FILE),
        ("models/sub/none.gguf", FILE),
        ("models/none", FILE),
        ("other/x.gguf", FILE),
        ("./a/b", FILE),
        ("../a/b", FILE),
        ("/a/b", FILE),
        ("~/a/b", FILE),
        ("ada/tiny", FILE),
        ("ada/local", DIRECTORY),
        ("bob/tiny", HUB),
        ("bob/tiny:Q4_K_M", HUB),
        ("bob/tiny:x.gguf", HUB),
        ("bob/tiny/x.gguf", HUB),
        ("hf.co/bob/tiny", HUB),
        ("hf://bob/tiny", HUB),
        ("HTTPS://huggingface.co/bob/tiny", HUB),
        ("https://example.org/x.gguf", HUB),
        ("ftp://example.org/x.gguf", HUB),
    ],
)
def test_a_path_that_exists_precedes_a_repository(text: str, kind: TargetKind) -> None:
    """A missing file is not looked for on the hub if it looks like a path."""
    found = kind_of_target(text, exists=PATHS.__contains__, is_directory=DIRECTORIES.__contains__)
    assert found is kind


@pytest.mark.parametrize("text", ["https://example.org/x.zip", "ftp://example.org/x.gguf"])
def test_a_url_that_cannot_be_pulled_names_the_other_way(text: str) -> None:
    """The file can be added after a download by other means."""
    with pytest.raises(VariantChoiceError, match=r"download the file and add it: 'gglib add FILE'\.$"):
        check_hub_target(text)


def test_a_repository_is_checked_as_for_a_pull() -> None:
    """Without the advice for URLs."""
    check_hub_target("hf://bob/tiny")
    with pytest.raises(VariantChoiceError, match="the quantization after the colon is missing") as caught:
        check_hub_target("bob/tiny:")
    assert "gglib add" not in str(caught.value)


@pytest.mark.parametrize("text", ["x.gguf", "models/x.gguf", "a/b/c", "./a", "models"])
def test_a_path_is_left_to_the_reader(text: str) -> None:
    """It says itself what is wrong with a file."""
    check_is_file(text, exists=PATHS.__contains__)


def test_a_word_that_is_no_file_names_the_hub() -> None:
    """A user may mean a model of the hub."""
    with pytest.raises(InvalidGgufError, match="There is no file 'qwen3': 'gglib search qwen3'"):
        check_is_file("qwen3", exists=lambda _: False)
    with pytest.raises(InvalidGgufError, match="There is no file 'models/qwen3': 'gglib pull models/qwen3'"):
        check_is_file("models/qwen3", exists=lambda _: False)
