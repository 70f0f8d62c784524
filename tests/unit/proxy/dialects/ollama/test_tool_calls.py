"""Tool calls of the engine become Ollama's, whole and with arguments as objects."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.ollama.tool_calls import ToolCallCollector
from gglib.proxy.errors import EngineError


def piece(index: int, arguments: str, **members: Any) -> dict[str, Any]:
    """Return a piece of a tool call in OpenAI's form."""
    name = members.pop("name", None)
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    return {"index": index, "function": function, **members}


def test_a_whole_call() -> None:
    """As in a response that is not streamed; without ids and indexes, too."""
    calls = ToolCallCollector()
    calls.add([{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":\n 1.0e5}'}}])
    assert calls.take_complete(is_final=True) == (
        b'[{"id":"c","function":{"index":0,"name":"f","arguments":{"a":1.0e5}}}]'
    )
    assert calls.take_complete(is_final=True) == b""


def test_a_call_is_complete_when_the_next_begins() -> None:
    """The first is returned before the second is complete."""
    calls = ToolCallCollector()
    assert calls.take_complete(is_final=False) == b""
    calls.add([piece(0, '{"a"', id="x", name="f")])
    calls.add([piece(0, ":1}")])
    assert calls.take_complete(is_final=False) == b""
    calls.add([piece(1, "", id="y", name="g")])
    (first,) = json.loads(calls.take_complete(is_final=False))
    (second,) = json.loads(calls.take_complete(is_final=True))
    assert (first["id"], first["function"]) == ("x", {"index": 0, "name": "f", "arguments": {"a": 1}})
    assert (second["id"], second["function"]) == ("y", {"index": 1, "name": "g", "arguments": {}})


@pytest.mark.parametrize("arguments", ["[1]", '"x"', "1", '{"a":', "{" * 2000])
def test_arguments_that_are_no_object_are_an_error(arguments: str) -> None:
    """The official clients cannot represent them."""
    calls = ToolCallCollector()
    calls.add([piece(0, arguments, name="f")])
    with pytest.raises(
        EngineError, match="call of the tool 'f' whose arguments are no JSON object"
    ) as failed:
        calls.take_complete(is_final=True)
    assert failed.value.status == 502


def test_a_call_that_the_token_limit_cut_is_dropped() -> None:
    """Only the last one, and only if it is incomplete."""
    calls = ToolCallCollector()
    calls.drop_truncated()
    calls.add([piece(0, "{}", name="f"), piece(1, '{"a', name="g")])
    calls.drop_truncated()
    calls.drop_truncated()
    (only,) = json.loads(calls.take_complete(is_final=True))
    assert only["function"]["name"] == "f"


@given(
    st.lists(
        st.tuples(st.text(min_size=1), st.dictionaries(st.text(), st.text() | st.integers())),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 7),
)
def test_pieces_of_any_size(wanted: list[tuple[str, dict[str, Any]]], size: int) -> None:
    """Names, ids and arguments survive, however the arguments are cut."""
    calls, encoded = ToolCallCollector(), []
    for index, (name, arguments) in enumerate(wanted):
        text = json.dumps(arguments, indent=1)
        calls.add([piece(index, "", name=name, id=f"id{index}")])
        for start in range(0, len(text), size):
            calls.add([piece(index, text[start : start + size])])
            encoded.append(calls.take_complete(is_final=False))
    encoded.append(calls.take_complete(is_final=True))
    found = [call for part in encoded if part for call in json.loads(part)]
    assert [(call["function"]["name"], call["function"]["arguments"]) for call in found] == wanted
    assert [(call["id"], call["function"]["index"]) for call in found] == [
        (f"id{index}", index) for index in range(len(wanted))
    ]
