"""The OpenAPI document describes what is served."""

import re
from typing import Any

import pytest

from gglib.proxy.docs.openapi import document
from gglib.proxy.errors import ForbiddenError, status_of
from gglib.proxy.routes.operation_spec import EVENTS, Access, OperationSpec
from gglib.proxy.routes.table import OPERATIONS, ROUTES, TEMPLATES

SPECS = [operation.spec for operation in OPERATIONS]
DOCUMENT = document(SPECS, version="1.2.3")


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Return method, path and operation of each entry of the document."""
    return [
        (method.upper(), path, operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]


def references(value: object) -> list[str]:
    """Return every reference in a value."""
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for item in value.values() for found in references(item)]
    return [found for item in value for found in references(item)] if isinstance(value, list) else []


def test_it_lists_exactly_the_served_routes() -> None:
    """Each method of each path once."""
    listed = [(method, path) for method, path, _ in operations()]
    served = [(method, path) for path, methods in (ROUTES | TEMPLATES).items() for method in methods]
    assert sorted(listed) == sorted(served) == sorted((spec.method, spec.path) for spec in SPECS)


def test_operation_ids_are_unique() -> None:
    """Generated clients use them as names of methods."""
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)


def test_every_reference_has_a_schema_and_every_schema_a_reference() -> None:
    """No schema is missing or unused."""
    named = {name.removeprefix("#/components/schemas/") for name in references(DOCUMENT)}
    assert named == set(DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_parameters_of_a_path_are_those_of_its_template(spec: OperationSpec) -> None:
    """OpenAPI requires a description of each, and that each is required."""
    parameters = DOCUMENT["paths"][spec.path][spec.method.lower()].get("parameters", [])
    path_parameters = [parameter for parameter in parameters if parameter["in"] == "path"]
    assert [parameter["name"] for parameter in path_parameters] == re.findall(r"{(\w+)}", spec.path)
    assert all(parameter["required"] for parameter in path_parameters)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_every_declared_error_is_listed_with_its_status(spec: OperationSpec) -> None:
    """Each code is listed at its status; 401 and 403 are listed where a key or admin rights are needed."""
    responses = DOCUMENT["paths"][spec.path][spec.method.lower()]["responses"]
    for kind in spec.all_errors():
        assert f"`{kind.code}`" in responses[str(status_of(kind))]["description"]
    assert ("`forbidden`" in responses["403"]["description"]) is (
        spec.access in {Access.ADMIN, Access.ADMIN_KEY} or ForbiddenError in spec.errors
    )
    assert ("401" in responses) is (spec.access is not Access.PUBLIC)


def test_forwarded_operations_declare_the_errors_of_engines_bodies_and_models() -> None:
    """They have these errors in addition to those of all operations."""
    responses = DOCUMENT["paths"]["/v1/chat/completions"]["post"]["responses"]
    declared = {code for status, listed in responses.items() if status >= "400" for code in codes_in(listed)}
    health = DOCUMENT["paths"]["/health"]["get"]["responses"]
    everywhere = {code for status, listed in health.items() if status >= "400" for code in codes_in(listed)}
    assert {"host_not_allowed", "shutting_down"} <= everywhere & declared
    assert {"body_too_large", "model_not_found", "model_loading", "upstream_timeout"} <= declared - everywhere


def codes_in(response: dict[str, str]) -> list[str]:
    """Return the error codes that the description of a response names."""
    return re.findall(r"`(\w+)`", response["description"])


@pytest.mark.parametrize(("response", "event"), [(None, {}), (dict, {"x-event-data": {"type": "object"}})])
def test_an_event_stream_is_a_text_with_the_type_of_its_events(
    response: type | None, event: dict[str, Any]
) -> None:
    """OpenAPI 3.1 cannot describe events, so their type has a key of its own; streams of other APIs have none."""
    spec = OperationSpec(
        id="x", method="GET", path="/x", group="g", summary="s", media_type=EVENTS, response=response
    )
    content = document([spec], version="1")["paths"]["/x"]["get"]["responses"]["200"]["content"]
    assert content == {EVENTS: {"schema": {"type": "string"}, **event}}


def test_a_server_that_is_not_ready_is_no_error() -> None:
    """503 has the type of the response, or an error of the shutdown."""
    responses = DOCUMENT["paths"]["/ready"]["get"]["responses"]
    assert references(responses["200"]) == ["#/components/schemas/Ready"]
    assert references(responses["503"]) == ["#/components/schemas/Ready", "#/components/schemas/Error"]
