"""Which unfinished pull is meant by a target without a quantization."""

import pytest

from gglib.core.models import ModelSource
from gglib.core.versions import PullJob
from gglib.library.pull.resume import pulls_of, resumed_target
from gglib.library.variants.pull_target import read_target


def job(asked: str) -> PullJob:
    """Return an unfinished pull."""
    return PullJob(key=asked, asked=asked, name="m", aliases=(), source=ModelSource(), files=())


@pytest.mark.parametrize(
    ("target", "begun", "resumed"),
    [
        ("ada/m", ["ada/m:Q8_0"], "ada/m:Q8_0"),
        ("Ada/M", ["ada/m:Q8_0", "ada/other:Q8_0"], "ada/m:Q8_0"),
        ("ada/m", ["ada/m/x.gguf"], "ada/m/x.gguf"),
        ("ada/m@v1", ["ada/m:Q8_0", "ada/m:Q4_0@v1"], "ada/m:Q4_0@v1"),
        ("ada/m", ["ada/m:Q8_0", "ada/m:Q4_0"], "ada/m"),
        ("ada/m:Q4_0", ["ada/m:Q8_0"], "ada/m:Q4_0"),
        ("ada/m", ["https://a.b/c.gguf", "?"], "ada/m"),
        ("https://a.b/c.gguf", ["https://a.b/c.gguf"], "https://a.b/c.gguf"),
        ("ada/m", [], "ada/m"),
    ],
)
def test_only_begun_pull_of_a_repository_is_resumed(target: str, begun: list[str], resumed: str) -> None:
    """Of the same revision; of several, none is guessed."""
    assert resumed_target(read_target(target), [job(asked) for asked in begun]) == read_target(resumed)


@pytest.mark.parametrize(
    ("target", "begun", "found"),
    [
        ("ada/m:Q8_0", ["ada/m:Q8_0", "?"], ["ada/m:Q8_0"]),
        ("ada/m", ["ada/m:Q8_0"], []),
        ("ada/m@v1", ["ada/m:Q8_0@v1"], []),
        ("hf.co/ada/m:Q8_0", ["ada/m:Q8_0", "ada/m:Q4_0"], ["ada/m:Q8_0"]),
        ("ada/m", ["ada/m:Q8_0", "ada/m:Q4_0"], []),
        (
            "https://a.b/c.gguf?key=1",
            ["https://a.b/c.gguf?key=1", "https://a.b/c.gguf"],
            ["https://a.b/c.gguf?key=1"],
        ),
    ],
)
def test_pulls_of_a_target(target: str, begun: list[str], found: list[str]) -> None:
    """In any spelling of the target; no quantization is guessed, not even the only one."""
    assert [pull.asked for pull in pulls_of(target, [job(asked) for asked in begun])] == found
