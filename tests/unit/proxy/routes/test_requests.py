"""The types of queries and bodies accept what is documented, up to the exact limits."""

import json
from typing import Any

import msgspec
import pytest

from gglib.core.hub.repository import HubSort
from gglib.proxy.envelope import read_envelope
from gglib.proxy.errors import BadRequestError
from gglib.proxy.routes.requests import (
    ClientsQuery,
    Forwarded,
    LoadOptions,
    ModelChanges,
    NewDownload,
    NewModel,
    NoFields,
    RemoveQuery,
    RequestsQuery,
    RevisionQuery,
    SearchQuery,
    UnloadOptions,
    UsageParameters,
)

LIMITS: list[tuple[type[msgspec.Struct], dict[str, Any], dict[str, Any]]] = [
    (NoFields, {}, {"x": 1}),
    (NewModel, {"path": "/"}, {"path": ""}),
    (NewModel, {"path": "/m/ä b.gguf"}, {"path": "m.gguf"}),
    (NewModel, {"path": "/a\nb"}, {"path": "/a\0b"}),
    (NewModel, {"path": "/" + "a" * 4095}, {"path": "/" + "a" * 4096}),
    (NewModel, {"path": "/m", "name": "n" * 200}, {"path": "/m", "name": "n" * 201}),
    (NewModel, {"path": "/m", "name": None}, {"path": "/m", "name": ""}),
    (NewModel, {"path": "/m", "aliases": ["a"] * 20}, {"path": "/m", "aliases": ["a"] * 21}),
    (NewModel, {"path": "/m", "aliases": []}, {"path": "/m", "aliases": [""]}),
    (LoadOptions, {"num_ctx": 1}, {"num_ctx": 0}),
    (LoadOptions, {"num_ctx": 2**31 - 1}, {"num_ctx": 2**31}),
    (LoadOptions, {}, {"num_ctx": "1"}),
    (LoadOptions, {"node": "n" * 200}, {"node": "n" * 201}),
    (UnloadOptions, {"node": "box"}, {"node": ""}),
    (ModelChanges, {"aliases": ["a"] * 20}, {"aliases": ["a"] * 21}),
    (ModelChanges, {"tags": ["a"] * 100}, {"tags": ["a"] * 101}),
    (ModelChanges, {"context": 1}, {"context": 0}),
    (ModelChanges, {"context": 2**31 - 1}, {"context": 2**31}),
    (ModelChanges, {"idle_ttl_s": 0}, {"idle_ttl_s": -1}),
    (ModelChanges, {"idle_ttl_s": 1.5}, {"idle_ttl_s": "1.5"}),
    (ModelChanges, {"kind": "rerank"}, {"kind": "music"}),
    (ModelChanges, {"is_pinned": True}, {"is_pinned": 1}),
    (ModelChanges, {"priority": "batch"}, {"priority": 1}),
    (ModelChanges, {"keep_conversations": False}, {"keep_conversations": "off"}),
    (NewDownload, {"target": "t" * 2048}, {"target": "t" * 2049}),
    (NewDownload, {"target": "t"}, {"target": ""}),
    (RemoveQuery, {"files": True}, {"files": None}),
    (SearchQuery, {"q": "q" * 256}, {"q": "q" * 257}),
    (SearchQuery, {"q": "q", "sort": "likes"}, {"q": "q", "sort": "size"}),
    (SearchQuery, {"q": "q", "limit": 1}, {"q": "q", "limit": 0}),
    (SearchQuery, {"q": "q", "limit": 100}, {"q": "q", "limit": 101}),
    (SearchQuery, {"q": "q", "max_size": 1}, {"q": "q", "max_size": 0}),
    (ClientsQuery, {"url": "http://a"}, {"url": "http://a\n"}),
    (ClientsQuery, {"url": "http://a:1/"}, {"url": "http://a:1/\n"}),
    (ClientsQuery, {"url": "https://a:65535"}, {"url": "https://a:65536"}),
    (ClientsQuery, {"url": "http://a:9"}, {"url": "http://a:0"}),
    (ClientsQuery, {"url": "http://a:60000"}, {"url": "http://a:99999"}),
    (ClientsQuery, {"url": "http://[::1]:8080"}, {"url": "http://[::1]:8080/v1"}),
    (RequestsQuery, {"status": "failed"}, {"status": "failed\n"}),
    (UsageParameters, {"by": "hour,model"}, {"by": "hour\n"}),
    (UsageParameters, {"by": ""}, {"by": "hour,"}),
    (RevisionQuery, {"revision": "r" * 256}, {"revision": "r" * 257}),
    (RevisionQuery, {"revision": "r"}, {"revision": ""}),
]


@pytest.mark.parametrize(("kind", "good", "bad"), LIMITS)
def test_a_value_is_accepted_up_to_its_limit(
    kind: type[msgspec.Struct], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    """The next value beyond the limit is refused, and so is an unknown field."""
    msgspec.convert(good, kind)
    for refused in (bad, {**good, "unknown": 1}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(refused, kind)


def test_fields_that_are_absent_have_defaults() -> None:
    """Nothing is deleted, and a search is not restricted, unless the client says so."""
    assert not msgspec.convert({}, RemoveQuery).files
    assert msgspec.convert({}, RevisionQuery).revision is None
    search = msgspec.convert({"q": "q"}, SearchQuery)
    assert (search.sort, search.limit, search.max_size) == (HubSort.DOWNLOADS, 10, None)
    model = msgspec.convert({"path": "/m"}, NewModel)
    assert (model.name, model.aliases) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m"},
        {"model": "m" * 512, "stream": None, "num_ctx": None},
        {"model": "m", "stream": True, "num_ctx": 1, "messages": []},
        {},
        {"model": ""},
        {"model": "m" * 513},
        {"model": 1},
        {"model": None},
        {"model": "m", "stream": 1},
        {"model": "m", "num_ctx": 0},
        {"model": "m", "num_ctx": True},
        {"model": "m", "num_ctx": "1"},
    ],
)
def test_the_documented_type_of_a_forwarded_body_agrees_with_the_envelope(body: dict[str, Any]) -> None:
    """The OpenAPI document shows the type, and the envelope decides."""
    try:
        envelope = read_envelope(json.dumps(body).encode())
    except BadRequestError:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(body, Forwarded)
        return
    shown = msgspec.convert(body, Forwarded)
    assert (shown.model or None, bool(shown.stream), shown.num_ctx) == (
        envelope.model,
        envelope.is_stream,
        envelope.num_ctx,
    )
