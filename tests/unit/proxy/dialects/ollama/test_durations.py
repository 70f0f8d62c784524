"""``keep_alive``: numbers are seconds, texts are Go durations."""

import math

import pytest

from gglib.proxy.dialects.ollama.durations import read_keep_alive
from gglib.proxy.errors import BadRequestError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, 0),
        (300, 300),
        (1.5, 1.5),
        (-1, math.inf),
        (2**40, math.inf),
        ("0", 0),
        ("300", 300),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("100ms", 0.1),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1000000000ns", 1),
        ("+5m", 300),
        ("-5m", math.inf),
        ("-1", math.inf),
        ("24h", 86400),
        ("9999999h", math.inf),
    ],
)
def test_values(value: str | float | None, seconds: float | None) -> None:
    """Negative and very long ones mean for ever."""
    found = read_keep_alive(value)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "text", ["", "m", "5 m", "5m ", "five", "1d", "--5m", "5mm5", "1e3", "1" * 70, "NaN", "٣m"]
)
def test_other_texts_are_refused(text: str) -> None:
    """The error names the field."""
    with pytest.raises(
        BadRequestError, match="'keep_alive' must be a number of seconds or a duration"
    ) as refused:
        read_keep_alive(text)
    assert refused.value.param == "keep_alive"
