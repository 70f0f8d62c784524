"""``options`` become fields of the engine."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.ollama.options import as_native, engine_fields, parameters_text
from gglib.proxy.errors import BadRequestError

DOCUMENTED = {
    "num_keep": 5,
    "seed": 42,
    "num_predict": 100,
    "top_k": 20,
    "top_p": 0.9,
    "min_p": 0.0,
    "typical_p": 0.7,
    "repeat_last_n": 33,
    "temperature": 0.8,
    "repeat_penalty": 1.2,
    "presence_penalty": 1.5,
    "frequency_penalty": 1.0,
    "mirostat": 1,
    "mirostat_tau": 0.8,
    "mirostat_eta": 0.6,
    "penalize_newline": True,
    "stop": ["\n", "user:"],
    "numa": False,
    "num_ctx": 1024,
    "num_batch": 2,
    "num_gpu": 1,
    "main_gpu": 0,
    "low_vram": False,
    "use_mmap": True,
    "use_mlock": False,
    "num_thread": 8,
    "vocab_only": False,
}
"""Every option in the example of Ollama's documentation."""


def test_every_documented_option_is_translated_or_ignored() -> None:
    """Sampling reaches the engine; hardware does not."""
    assert engine_fields(DOCUMENTED) == {
        "n_keep": 5,
        "seed": 42,
        "max_tokens": 100,
        "top_k": 20,
        "top_p": 0.9,
        "min_p": 0.0,
        "typical_p": 0.7,
        "repeat_last_n": 33,
        "temperature": 0.8,
        "repeat_penalty": 1.2,
        "presence_penalty": 1.5,
        "frequency_penalty": 1.0,
        "mirostat": 1,
        "mirostat_tau": 0.8,
        "mirostat_eta": 0.6,
        "stop": ["\n", "user:"],
        "num_ctx": 1024,
    }


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (None, {}),
        ({}, {}),
        ({"unknown": object(), "id_slot": 3}, {}),
        ({"temperature": None, "stop": None}, {}),
        ({"num_predict": -1}, {}),
        ({"num_predict": -2}, {}),
        ({"num_predict": 0}, {}),
        ({"num_ctx": 0}, {}),
        ({"num_ctx": 4096.9}, {"num_ctx": 4096}),
        ({"seed": 10**30}, {"seed": 2**63 - 1}),
        ({"seed": -(10**30)}, {"seed": -(2**63)}),
        ({"temperature": 1}, {"temperature": 1}),
        ({"stop": "x"}, {"stop": ["x"]}),
        ({"stop": []}, {}),
        ({"stop": [""]}, {}),
    ],
)
def test_values_that_set_nothing_or_another_value(
    options: dict[str, Any] | None, fields: dict[str, Any]
) -> None:
    """No limit and the default context need no field."""
    assert engine_fields(options) == fields


@pytest.mark.parametrize(
    ("name", "value", "type_name"),
    [
        ("temperature", "hot", "float32"),
        ("temperature", True, "float32"),
        ("top_k", "1", "integer"),
        ("num_ctx", False, "integer"),
        ("num_ctx", [1], "integer"),
        ("num_predict", float("inf"), "integer"),
        ("num_predict", float("nan"), "integer"),
        ("num_gpu", "all", "integer"),
        ("use_mmap", 1, "boolean"),
        ("stop", 1, "array"),
        ("stop", [1], "array"),
    ],
)
def test_wrong_types_are_refused_in_ollamas_words(name: str, value: Any, type_name: str) -> None:
    """Clients of Ollama know this message."""
    with pytest.raises(BadRequestError, match=f'^option "{name}" must be of type {type_name}$') as refused:
        engine_fields({name: value})
    assert refused.value.param == f"options.{name}"


@given(
    st.dictionaries(
        st.sampled_from([*DOCUMENTED, "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    )
)
def test_any_value_is_translated_or_refused(options: dict[str, Any]) -> None:
    """No value causes another error, and only known fields come out."""
    try:
        fields = engine_fields(options)
    except BadRequestError:
        return
    assert set(fields) <= {*DOCUMENTED, "n_keep", "max_tokens"}


def test_native_names() -> None:
    """llama-server's own format has another name for the token limit."""
    assert as_native({"max_tokens": 5, "top_k": 1}) == {"n_predict": 5, "top_k": 1}


def test_parameters_text() -> None:
    """A line for each value, as in a Modelfile; fields without an option are left out."""
    text = parameters_text({"num_ctx": 4096, "stop": ["a b", "c"], "max_tokens": 5, "dry_base": 1})
    assert text.splitlines() == [
        "num_ctx                        4096",
        'stop                           "a b"',
        'stop                           "c"',
        "num_predict                    5",
    ]
