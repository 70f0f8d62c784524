"""Completion of commands and their arguments."""

import pytest

from gglib.cli.chat.input.completion import Sources, Suggestion, suggestions

SOURCES = Sources(
    models=lambda: ["qwen-4b", "Qwen-8b", "llama"],
    chats=lambda: ["trip"],
    files=lambda folder: ["b.png", "a.JPG", "notes.txt", "pics/", ".x.png"] if folder == "d/" else ["d/"],
)


@pytest.mark.parametrize(
    ("before", "texts", "length"),
    [
        ("/mo", ["/model", "/more"], 3),
        ("/model qw", ["qwen-4b", "Qwen-8b"], 2),
        ("/load ", ["trip"], 0),
        ("/save t", ["trip"], 1),
        ("/image ", ["d/"], 0),
        ("/image d/", ["a.JPG", "b.png", "pics/"], 0),
        ("/image d/b", ["b.png"], 1),
        ("/image d/.", [".x.png"], 1),
        ("/set t", ["temperature", "top_p", "top_k", "think"], 1),
        ("/set think o", ["on", "off"], 1),
        ("/bye ", [], 0),
        ("hello /mo", [], 0),
        ("/set system a\n/mo", [], 0),
    ],
)
def test_words_and_arguments_are_completed(before: str, texts: list[str], length: int) -> None:
    """Each command has its own arguments; a prompt has none."""
    assert list(suggestions(before, SOURCES)) == [Suggestion(text, length) for text in texts]
