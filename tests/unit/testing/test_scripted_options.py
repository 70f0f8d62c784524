"""The scripted server's command line is llama-server's."""

import pytest

from gglib.testing.scripted_server.options import UsageError, help_text, parse


def test_every_spelling_of_an_option_is_the_same_option() -> None:
    """Short and long spellings are read alike; the last one wins."""
    options = parse(["-c", "5", "--ctx-size", "6", "--embedding", "-ngl", "99"])
    assert options.number("--ctx-size", 0) == 6
    assert options.has("--embeddings")
    assert options.text("--n-gpu-layers") == "99"
    assert not options.has("--metrics")


@pytest.mark.parametrize("argv", [["--foo"], ["--fit", "on"], ["--ctx-size"], ["stray"]])
def test_unsupported_options_are_refused(argv: list[str]) -> None:
    """Unknown options, options that an old build lacks, and missing values are usage errors."""
    with pytest.raises(UsageError):
        parse(argv, lacks=("-fit",))


def test_help_lists_options_in_the_layout_of_llama_server() -> None:
    """The short spelling comes first, padded to six columns; unsupported options are not shown."""
    page = help_text(lacks=("--fit",))
    assert "-c,   --ctx-size N                      size of the prompt context\n" in page
    assert "--api-key-file FNAME " in page
    assert "--fit" not in page
    assert "--fit" in help_text()
