"""Scripts survive JSON, and narrower scripts override wider ones."""

import json

import pytest

from gglib.testing import Script


def test_script_json_round_trip() -> None:
    """The launcher's script equals the installed one."""
    script = Script(
        load_s=0.5,
        headers=(("X-A", "1"), ("X-A", "2")),
        lacks_options=("--fit",),
        tool_call=("count", "{}"),
        scripts={"m": {"chunks": 9}},
    )
    assert Script.from_json(script.to_json()) == script
    assert Script.from_json("{}") == Script()


@pytest.mark.parametrize(
    ("alias", "path", "chunks"),
    [("m", "/x/other.gguf", 9), ("other", "/x/m.gguf", 9), ("m.gguf", "/x", 3), ("M", "/x/M", 3)],
)
def test_a_model_has_its_own_values_by_alias_or_file(alias: str, path: str, chunks: int) -> None:
    """A model is named by alias, by file name, or by file name without suffix."""
    script = Script(scripts={"m": {"chunks": 9}}, status=500)
    of_model = script.for_model(alias=alias, model_path=path)
    assert (of_model.chunks, of_model.status) == (chunks, 500)


def test_a_request_overrides_what_it_names() -> None:
    """The field ``x_script`` of a body controls one response; noise belongs to the load, not to the response."""
    script = Script(chunks=5, stderr_noise_bytes=10)
    body = json.dumps({"model": "m", "x_script": {"headers": [["A", "b"]], "hang": True}}).encode()
    of_request = script.for_request(body)
    assert (of_request.headers, of_request.hang, of_request.chunks) == ((("A", "b"),), True, 5)
    assert of_request.stderr_noise_bytes == 0
    assert script.for_request(b'{"x_script"') == script.for_request(b"{}")


def test_an_unknown_field_is_an_error() -> None:
    """A misspelt script fails loudly instead of doing nothing."""
    with pytest.raises(TypeError):
        Script.from_json('{"chunk": 1}')
