"""The script that runs llama.cpp's own tests through gglib: its pure parts."""

from pathlib import Path

from scripts.engine_tests import engine_arguments, outcomes, summary, value_of, with_value

MODELS = Path("/models")
REPORT = """<testsuites><testsuite>
<testcase classname="unit.test_a" name="test_one"/>
<testcase classname="unit.test_a" name="test_two[x]"><failure message="assert 1 == 2&#10;more"/></testcase>
<testcase classname="unit.test_b" name="test_three"><skipped/></testcase>
<testcase classname="unit.test_b" name="test_four"><error message="no server"/></testcase>
</testsuite></testsuites>"""


def test_a_model_to_download_becomes_a_tiny_one() -> None:
    """Of the kind that the options ask for; a file of the test's own stays."""
    asked = ["--port", "1", "--offline", "--hf-repo", "a/b", "--hf-file", "c.gguf", "--jinja"]
    assert engine_arguments(asked, MODELS) == ["--port", "1", "--jinja", "--model", "/models/chat.gguf"]
    assert engine_arguments(["--embedding"], MODELS)[-1] == "/models/embed.gguf"
    assert engine_arguments(["--reranking"], MODELS)[-1] == "/models/rank.gguf"
    assert engine_arguments(["--model", "x.gguf"], MODELS) == ["--model", "x.gguf"]


def test_options_are_read_and_replaced() -> None:
    """By their names."""
    arguments = ["--port", "1", "--jinja"]
    assert (value_of(arguments, "--port"), value_of(arguments, "--alias")) == ("1", None)
    assert with_value(arguments, "--port", "2") == ["--port", "2", "--jinja"]


def test_the_report_names_what_only_the_bare_engine_passes() -> None:
    """Skipped tests do not count; a test that was not run through gglib is lost."""
    bare = outcomes(REPORT)
    assert bare == {
        "test_a::test_one": None,
        "test_a::test_two[x]": "assert 1 == 2\nmore",
        "test_b::test_four": "no server",
    }
    report = summary(bare, {"test_a::test_one": "assert 400 == 501\nx", "test_a::test_two[x]": None})
    assert "| test_a | 2 | 1 | 0 |" in report
    assert "| all | 3 | 1 | 0 |" in report
    assert "- `test_a::test_one`: assert 400 == 501\n" in report
    assert "Pass through gglib only: `test_a::test_two[x]`." in report
    assert "- none" in summary(bare, bare)
