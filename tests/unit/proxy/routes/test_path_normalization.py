"""Alternative spellings of a path that map to a route."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.errors import GglibError
from gglib.proxy.errors import MethodNotAllowedError, UnknownPathError
from gglib.proxy.routes.path_normalization import normalize_path
from gglib.proxy.routes.table import ROUTES, TEMPLATES, find_operation, route_of

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("method", "path", "served"),
    [
        *(("POST", path, CHAT) for path in (CHAT, CHAT + "/", "/chat/completions", "/chat/completions/")),
        *(
            ("POST", path, CHAT)
            for path in ("//v1/chat/completions", "/v1//chat/completions", "/v1/chat//completions")
        ),
        *(
            ("POST", path, CHAT)
            for path in ("/v1/v1/chat/completions", "/v1/v1/v1/chat/completions", "///chat/completions")
        ),
        ("POST", "/v1/v1/messages", "/v1/messages"),
        ("POST", "/messages/count_tokens", "/v1/messages/count_tokens"),
        ("POST", "/responses", "/v1/responses"),
        ("POST", "/v1/embeddings/", "/v1/embeddings"),
        *(
            ("GET", path, "/v1/models")
            for path in ("/v1/models/", "/models", "/models/", "//v1//models", "/v1/v1/models")
        ),
        *(
            ("GET", path, "/v1/models/a/b")
            for path in ("/models/a/b", "/v1//models/a/b", "/v1/models/a/b", "/v1/models//a/b")
        ),
        ("HEAD", "/models", "/v1/models"),
        # llama.cpp's own, with answers of another shape than those under /v1.
        *(("POST", path, path) for path in ("/completions", "/embeddings", "/rerank")),
        ("POST", "//embeddings/", "/embeddings"),
        ("GET", "/gglib/models/", "/gglib/models"),
        ("GET", "//gglib/status", "/gglib/status"),
        ("GET", "/health/", "/health"),
    ],
)
def test_unambiguous_path_is_served(method: str, path: str, served: str) -> None:
    """The operation is the route's own, and the path for the engine is spelled as the route."""
    operation, spelled = find_operation(method, path)
    assert spelled == served
    table = ROUTES.get(served) or TEMPLATES[route_of(served)]
    assert operation is table["GET" if method == "HEAD" else method]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/v1",
            "/v1/",
            "/v2/chat/completions",
            "/api/v1/chat/completions",
            "/openai/v1/models",
            "/V1/models",
        ),
        *(
            "/v1/Chat/completions",
            "/v1/chat/completions/x",
            "/v1/./models",
            "/v1/x/../models",
            "/v1/chat%2fcompletions",
        ),
        *("/v1/gglib/models", "/v1/healthy", "/v1/v1", "/chat", "/v1/v1/completion"),
    ],
)
def test_other_paths_are_refused_with_the_base_urls(path: str) -> None:
    """The error names the base URL to configure, at the address that the client used."""
    with pytest.raises(UnknownPathError) as refused:
        find_operation("POST", path, b"box.lan:8080")
    assert f"POST {path}." in str(refused.value)
    assert "http://box.lan:8080/v1 for OpenAI's clients" in str(refused.value)
    assert "http://box.lan:8080 for Anthropic's" in str(refused.value)


def test_path_is_shown_at_a_bounded_length() -> None:
    """A path of 8 KiB is not echoed whole."""
    assert len(str(UnknownPathError("GET", "/" + "x" * 8000, b"h" * 255))) < 600


def test_wrong_method_is_405_for_another_spelling_too() -> None:
    """The path exists: 405 with its methods, not 404."""
    with pytest.raises(MethodNotAllowedError) as refused:
        find_operation("GET", "/chat/completions")
    assert refused.value.allowed == ("POST",)


PATHS = st.lists(
    st.sampled_from(["v1", "chat", "completions", "models", "a", "..", "%2f", "", "api"]), max_size=7
).map(lambda segments: "/" + "/".join(segments))


@given(PATHS)
def test_normalization_is_idempotent(path: str) -> None:
    """A normalized path has no empty segment and does not change again."""
    once = normalize_path(path)
    assert normalize_path(once) == once
    assert once.startswith("/")
    assert "//" not in once


@given(PATHS, st.sampled_from(["GET", "POST", "DELETE"]))
def test_exact_path_of_a_route_keeps_its_spelling(path: str, method: str) -> None:
    """The path of a request that names a route exactly is never rewritten."""
    try:
        _, spelled = find_operation(method, path)
    except GglibError:
        return
    if route_of(path) != "other":
        assert spelled == path
