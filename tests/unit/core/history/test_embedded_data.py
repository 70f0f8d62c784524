"""Data in bodies that is no text."""

import base64
import json

import pytest

from gglib.core.history.embedded_data import without_data, without_numbers

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400).decode()
SOUND = base64.b64encode(b"ID3" + bytes(range(256)) * 8).decode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"url": f"data:image/png;base64,{PNG}"}, {"url": "[image/png, 102 kB]"}),
        ({"url": "data:image/png;base64,AAAA"}, {"url": "[image/png, 1 kB]"}),
        ({"url": "data:;base64,AAAA"}, {"url": "[data, 1 kB]"}),
        ({"url": f"data:a/b;charset=x;base64,{PNG}"}, {"url": "[a/b, 102 kB]"}),
        ({"images": [PNG, SOUND]}, {"images": ["[image/png, 102 kB]", "[audio/mpeg, 2 kB]"]}),
        (
            {"input_audio": {"data": SOUND, "format": "mp3"}},
            {"input_audio": {"data": "[audio/mpeg, 2 kB]", "format": "mp3"}},
        ),
        ({"text": f"see\n{PNG}\nthere"}, {"text": "see\n[image/png, 102 kB]\nthere"}),
        ({"text": "a" * 511 + " b"}, None),
        ({"text": "word " * 500}, None),
        ({"text": "data:image/png;base32,abc"}, None),
    ],
)
def test_base64_is_described(body: object, expected: object) -> None:
    """Wherever it is, also with slashes that are escaped."""
    text = json.dumps(body)
    for written in (text, text.replace("/", "\\/") if "base32" not in text else text):
        assert json.loads(without_data(written)) == (body if expected is None else expected)


@pytest.mark.parametrize("line_feed", ["\n", "\r\n", "\\n"])
def test_base64_in_lines_is_described(line_feed: str) -> None:
    """As mail and PEM have it."""
    lines = line_feed.join(PNG[start : start + 76] for start in range(0, len(PNG), 76))
    assert without_data(f"x: {lines}.").startswith("x: [image/png, 10")


def test_base64_that_is_cut_is_described() -> None:
    """The end of a body is missing if it is too long."""
    assert without_data(f'{{"url": "data:image/png;base64,{PNG}') == '{"url": "[image/png, 102 kB]'


def test_long_lists_of_numbers_and_token_probabilities_are_left_out() -> None:
    """Token ids encode a text, and each token has an object of its own."""
    body = {
        "prompt": [[1] * 16, "a"],
        "short": [1] * 15,
        "logprobs": True,
        "embedding": [0.5, -1e-7] * 400,
        "choices": [{"text": "é", "logprobs": {"content": [{"token": "a"}, {"token": "b"}]}}],
        "completion_probabilities": [{"token": "a"}],
    }
    assert json.loads(without_numbers(json.dumps(body))) == {
        "prompt": ["[16 numbers]", "a"],
        "short": [1] * 15,
        "logprobs": True,
        "embedding": "[800 numbers]",
        "choices": [{"text": "é", "logprobs": "[left out]"}],
        "completion_probabilities": "[left out]",
    }


def test_other_documents_stay_as_they_are() -> None:
    """With their own spaces and escapes."""
    document = '{ "a" : [1, 2,\n3], "b": "caf\\u00e9", "logprobs": null, "text": "[1,2]" }'
    assert without_numbers(document) == document


def test_a_document_that_is_cut_ends_before_its_first_probability() -> None:
    """Pieces of a secret would be in what follows."""
    document = '{"text": "a", "logprobs": {"content": [{"token": "sk-"}, {"to'
    assert without_numbers(document) == '{"text": "a", [the rest has token probabilities]'
    assert without_numbers('{"a": [' + "0.1, " * 200) == '{"a": [numbers]'


def test_deep_documents_are_no_error() -> None:
    """They are stored as they are."""
    document = "[" * 100_000 + "1, " * 40 + "]" * 100_000
    assert without_numbers(document) == document


@pytest.mark.parametrize(
    "unit",
    ["data:a/b;base64,", "data:;base64,\\/", ";base64,data:", "A" * 61 + "\n", "A" * 511 + " ", "[1,", "\\/"],
)
def test_no_text_takes_more_than_linear_time(unit: str) -> None:
    """A quadratic pattern would need hours for one of these texts."""
    without_data(unit * (256 * 1024 // len(unit)))
    without_numbers(unit * (256 * 1024 // len(unit)))
