"""The paths of a model: llama.cpp's, or those of its backend."""

import pytest

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.models import ModelCapabilities
from gglib.proxy.errors import UnsupportedByModelError
from gglib.proxy.names.served_paths import BACKEND_PATHS, check_served, default_paths

CHAT = ModelCapabilities(chat=True)


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/tokenize", "/v1/messages", "/v1/audio/transcriptions"]
)
def test_llama_cpp_serves_all_paths_but_those_of_backends(path: str) -> None:
    """Its own errors say what a model cannot do."""
    check_served(path, "m", CHAT, None)


@pytest.mark.parametrize("path", BACKEND_PATHS)
def test_llama_cpp_has_no_images_and_no_speech(path: str) -> None:
    """The error says how to add a model that has the path."""
    with pytest.raises(
        UnsupportedByModelError, match=f"gglib add --command' or '--url' and '--route {path}'"
    ):
        check_served(path, "m", CHAT, None)


@pytest.mark.parametrize(
    ("capabilities", "paths"),
    [
        (CHAT, ("/v1/chat/completions", "/v1/completions")),
        (ModelCapabilities(), ("/v1/chat/completions", "/v1/completions")),
        (ModelCapabilities(embedding=True), ("/v1/embeddings",)),
        (ModelCapabilities(rerank=True), ("/v1/rerank",)),
        (
            ModelCapabilities(chat=True, embedding=True),
            ("/v1/embeddings", "/v1/chat/completions", "/v1/completions"),
        ),
    ],
)
def test_a_backend_serves_the_paths_of_its_kind(
    capabilities: ModelCapabilities, paths: tuple[str, ...]
) -> None:
    """Without routes of its own; llama.cpp's own paths are refused."""
    assert default_paths(capabilities) == paths
    backend = CommandBackend(argv=("a",))
    for path in paths:
        check_served(path, "m", capabilities, backend)
    for path in ("/v1/messages", "/tokenize", "/v1/images/edits"):
        with pytest.raises(UnsupportedByModelError):
            check_served(path, "m", capabilities, backend)


def test_routes_replace_those_of_the_kind() -> None:
    """A star stands for all paths below; the error lists the routes and says how to add one."""
    backend = UrlBackend(base_url="http://box", routes=("/v1/images/*", "/v1/messages"))
    check_served("/v1/images/edits", "m", CHAT, backend)
    check_served("/v1/messages", "m", CHAT, backend)
    with pytest.raises(UnsupportedByModelError) as caught:
        check_served("/v1/chat/completions", "m", CHAT, backend)
    assert str(caught.value) == (
        "Model 'm' serves /v1/images/*, /v1/messages and not /v1/chat/completions. If its server has this path, "
        "run 'gglib set m --route /v1/chat/completions' on the server's machine, with its other paths."
    )
