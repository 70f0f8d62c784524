"""The table of operations: which handler serves a method and a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core import errors
from gglib.proxy.errors import MethodNotAllowedError
from gglib.proxy.names.fallback import CANNOT_RUN
from gglib.proxy.routes.operation_spec import Metering
from gglib.proxy.routes.table import OPERATIONS, find_operation, route_of

ERRORS_OF_A_LOAD: set[type[errors.GglibError]] = {
    *CANNOT_RUN,
    errors.ModelOutOfMemoryError,
    errors.ModelRuntimeError,
    errors.EngineNotFoundError,
    errors.EngineBrokenError,
    errors.CatalogError,
    errors.ModelLoadingError,
    errors.QueueFullError,
    errors.ModelStoppedError,
}
WORDS = ("gglib", "models", "a", "load", "unload", "pin", "unpin", "events", "hub", "downloads", "v1", "%2F")
TEMPLATES = [operation for operation in OPERATIONS if operation.spec.is_template]


@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_no_path_matches_two_templates_of_one_method(words: list[str]) -> None:
    """Model names may contain slashes, so templates of different methods overlap."""
    for prefix in ("/", "/gglib/models/", "/v1/models/"):
        path = prefix + "/".join(words)
        methods = [one.spec.method for one in TEMPLATES if one.spec.pattern.fullmatch(path)]
        assert len(methods) == len(set(methods)), path


@pytest.mark.parametrize(
    ("method", "path", "operation_id"),
    [
        ("POST", "/gglib/models/a/load", "loadModel"),
        ("POST", "/gglib/models/a/b/unload", "unloadModel"),
        ("POST", "/gglib/models/a%2Fb/pin", "pinModel"),
        ("POST", "/gglib/models/a/load/unpin", "unpinModel"),
        ("POST", "/gglib/models/a/b/verify", "verifyModel"),
        ("GET", "/gglib/models/a/b/removal", "previewRemoval"),
        ("GET", "/gglib/models/a%2Fremoval", "showModel"),
        ("DELETE", "/gglib/models/a/removal", "removeModel"),
        ("GET", "/gglib/models/a/load", "showModel"),
        ("PATCH", "/gglib/models/a/load", "changeModel"),
        ("DELETE", "/gglib/models/a/load", "removeModel"),
    ],
)
def test_the_method_chooses_the_operation(method: str, path: str, operation_id: str) -> None:
    """``GET /gglib/models/a/load`` shows the model ``a/load``, ``POST`` loads the model ``a``."""
    operation, normalized = find_operation(method, path)
    assert (operation.spec.id, normalized) == (operation_id, path)


def test_the_label_of_a_path_is_that_of_its_operation() -> None:
    """Also where two templates have the method."""
    for method, path in (("GET", "/gglib/models/a/removal"), ("POST", "/gglib/models/a/load")):
        assert route_of(path, method) == find_operation(method, path)[0].spec.path


def test_a_method_that_no_template_has_is_refused_with_those_that_do() -> None:
    """The methods of all templates that match the path are allowed."""
    with pytest.raises(MethodNotAllowedError) as one:
        find_operation("POST", "/gglib/models/a")
    assert one.value.allowed == ("GET", "HEAD", "DELETE", "PATCH")
    with pytest.raises(MethodNotAllowedError) as both:
        find_operation("PUT", "/gglib/models/a/load")
    assert both.value.allowed == ("GET", "HEAD", "DELETE", "PATCH", "POST")


@pytest.mark.parametrize("operation_id", ["loadModel", "chat", "embedNatively"])
def test_operations_that_load_a_model_have_all_errors_of_a_load(operation_id: str) -> None:
    """The OpenAPI document lists their codes."""
    spec = next(operation.spec for operation in OPERATIONS if operation.spec.id == operation_id)
    codes = {error.code for error in spec.all_errors()}
    assert {error.code for error in ERRORS_OF_A_LOAD} - codes == set()


def test_operations_that_generate_nothing_are_metered_by_their_prompts() -> None:
    """In every dialect: an estimate of a completion would refuse embeddings that fit the limit."""
    for operation in OPERATIONS:
        spec = operation.spec
        is_prompt_only = any(word in spec.path for word in ("embed", "rerank")) and spec.method == "POST"
        assert (spec.metering is Metering.PROMPT) == is_prompt_only, spec.path
