"""Media that the engine would fetch from a URL, in each form of the dialects, and what only looks like it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.envelope import read_envelope
from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards.remote_media import REMOTE_MEDIA

URL = "http://127.0.0.1:1/secret"
DATA = "data:image/png;base64,AAAA"


def chat(*parts: object) -> dict[str, Any]:
    """Return a chat request with these content parts."""
    return {"model": "m", "messages": [{"role": "user", "content": list(parts)}]}


def part_with(address: str) -> dict[str, Any]:
    """Return OpenAI's part with an image."""
    return {"type": "image_url", "image_url": {"url": address}}


def claude_image(address: str) -> dict[str, Any]:
    """Return Anthropic's block with an image."""
    return {"type": "image", "source": {"type": "url", "url": address}}


FORMS = {
    "image": chat(part_with(URL)),
    "https": chat(part_with("https://example.com/a.png")),
    "a prefix is enough for the engine": chat(part_with("httpx")),
    "audio": chat({"type": "input_audio", "input_audio": {"data": URL}}),
    "audio by URL": chat({"type": "input_audio", "input_audio": {"url": URL}}),
    "video": chat({"type": "video_url", "video_url": {"url": URL}}),
    "video input": chat({"type": "input_video", "input_video": {"data": URL}}),
    "responses": {
        "model": "m",
        "input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}],
    },
    "output of a tool": {
        "model": "m",
        "input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": URL}]}],
    },
    "anthropic": chat(claude_image(URL)),
    "result of a tool": chat({"type": "tool_result", "tool_use_id": "x", "content": [claude_image(URL)]}),
    "behind long text": chat({"type": "text", "text": "x" * 100_000}, part_with(URL)),
    "after a link in a text": chat({"type": "text", "text": 'see "http://a"'}, part_with(URL)),
}

HARMLESS = {
    "data": chat(part_with(DATA)),
    "text": chat({"type": "text", "text": URL}),
    "message": {"model": "m", "messages": [{"role": "user", "content": URL}]},
    "quoted in a text": chat({"type": "text", "text": f'<a href="{URL}">'}),
    "embedding": {"model": "m", "input": [URL, URL]},
    "upper case, which the engine takes for base64": chat(part_with("HTTP://a")),
    "arguments of a tool": chat(
        {
            "type": "tool_use",
            "id": "x",
            "name": "fetch",
            "input": {"url": URL, "type": "image", "source": URL},
        }
    ),
    "example of a schema": {
        "model": "m",
        "messages": [],
        "tools": [
            {"type": "function", "function": {"parameters": {"properties": {"url": {"default": URL}}}}}
        ],
    },
    "number of thousands of digits": {"model": "m", "input": [URL], "x": 10**4000},
}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_media_at_a_url_is_refused(body: dict[str, Any]) -> None:
    """Short and long bodies; the error names the member and what to send instead."""
    with pytest.raises(BadRequestError, match="send it as a data URL") as refused:
        read_envelope(json.dumps(body).encode())
    assert refused.value.param in {"image_url", "input_audio", "input_video", "video_url", "source"}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_setting_lets_it_pass(body: dict[str, Any]) -> None:
    """The operator knows the network."""
    assert (
        read_envelope(json.dumps(body).encode(), allowed_engine_fields=frozenset((REMOTE_MEDIA,))).model
        == "m"
    )


@pytest.mark.parametrize("body", HARMLESS.values(), ids=HARMLESS)
def test_other_addresses_pass(body: dict[str, Any]) -> None:
    """Texts, arguments of tools and schemas may have any address."""
    assert read_envelope(json.dumps(body).encode()).model == "m"


def test_all_duplicates_are_checked() -> None:
    """Parsers take different ones of two members with the same name."""
    for urls in ((URL, DATA), (DATA, URL)):
        members = ",".join(f'"url":"{url}"' for url in urls)
        body = (
            f'{{"model":"m","messages":[{{"content":[{{"type":"image_url","image_url":{{{members}}}}}]}}]}}'
        )
        with pytest.raises(BadRequestError):
            read_envelope(body.encode())
    body = '{"model":"m","messages":[{"content":[{"type":"text","type":"image_url","image_url":{"url":"http://a"}}]}]}'
    with pytest.raises(BadRequestError):
        read_envelope(body.encode())


@given(escapes=st.tuples(*[st.booleans()] * 4), is_key_escaped=st.booleans(), padding=st.integers(0, 5000))
def test_address_is_found_however_it_is_spelled(
    escapes: tuple[bool, ...], padding: int, *, is_key_escaped: bool
) -> None:
    """JSON can escape any letter, of the address and of the keys; case of the digits does not matter."""
    http = "".join(f"\\u00{ord(c):X}" if escaped else c for c, escaped in zip("http", escapes, strict=True))
    key = "\\u0075rl" if is_key_escaped else "url"
    part = f'{{"type":"image_url","image_url":{{"{key}":"{http}://a"}}}}'
    body = f'{{"model":"m","messages":[{{"content":["{"x" * padding}",{part}]}}]}}'
    with pytest.raises(BadRequestError, match="data URL"):
        read_envelope(body.encode())
