"""No request sets a command, the environment, an engine argument or a path outside ``models/``."""

import re
from collections.abc import Iterator

import click
import msgspec
import pytest

from gglib.cli.app import cli
from gglib.proxy.access.never_over_http import NEVER_OVER_HTTP, refuse_protected
from gglib.proxy.errors import ForbiddenError
from gglib.proxy.routes.parsing import read_body, read_query
from gglib.proxy.routes.requests import NewDownload, NewModel, NoFields, SearchQuery
from gglib.proxy.routes.table import OPERATIONS

ALLOWED = {
    ("ChatRequest", "format"): "a schema, checked like that of a client's request",
    ("ChatRequest", "keep_alive"): "a duration",
    ("ChatRequest", "logprobs"): "true or false",
    ("ChatRequest", "messages"): "content for the model",
    ("ChatRequest", "model"): "a name that is looked up in the catalogue",
    ("ChatRequest", "options"): "fields of a request, checked like those of a client's request",
    ("ChatRequest", "stream"): "true or false",
    ("ChatRequest", "think"): "a value for the chat template",
    ("ChatRequest", "tools"): "tools, checked like those of a client's request",
    ("ChatRequest", "top_logprobs"): "a number, checked like that of a client's request",
    ("CopyRequest", "destination"): "a name",
    ("CopyRequest", "source"): "a name that is looked up in the catalogue",
    ("CreateRequest", "adapters"): "refused",
    ("CreateRequest", "files"): "refused",
    ("CreateRequest", "from"): "a name that is looked up in the catalogue",
    ("CreateRequest", "messages"): "refused",
    ("CreateRequest", "model"): "a name",
    ("CreateRequest", "modelfile"): "refused",
    ("CreateRequest", "name"): "a name",
    ("CreateRequest", "parameters"): "defaults of a profile, checked like those of a profile",
    ("CreateRequest", "quantize"): "refused",
    ("CreateRequest", "stream"): "true or false",
    ("CreateRequest", "system"): "a text for the model",
    ("CreateRequest", "template"): "refused",
    ("EmbedRequest", "dimensions"): "a number",
    ("EmbedRequest", "input"): "texts for the model",
    ("EmbedRequest", "keep_alive"): "a duration",
    ("EmbedRequest", "model"): "a name that is looked up in the catalogue",
    ("EmbedRequest", "options"): "fields of a request, checked like those of a client's request",
    ("EmbedRequest", "truncate"): "true or false",
    ("EmbeddingsRequest", "keep_alive"): "a duration",
    ("EmbeddingsRequest", "model"): "a name that is looked up in the catalogue",
    ("EmbeddingsRequest", "options"): "fields of a request, checked like those of a client's request",
    ("EmbeddingsRequest", "prompt"): "a text for the model",
    ("Function", "arguments"): "content for the model",
    ("Function", "name"): "a text for the model",
    ("GenerateRequest", "context"): "refused, except an empty list",
    ("GenerateRequest", "format"): "a schema, checked like that of a client's request",
    ("GenerateRequest", "images"): "data in base64, never an address",
    ("GenerateRequest", "keep_alive"): "a duration",
    ("GenerateRequest", "logprobs"): "true or false",
    ("GenerateRequest", "model"): "a name that is looked up in the catalogue",
    ("GenerateRequest", "options"): "fields of a request, checked like those of a client's request",
    ("GenerateRequest", "prompt"): "a text for the model",
    ("GenerateRequest", "raw"): "true or false",
    ("GenerateRequest", "stream"): "true or false",
    ("GenerateRequest", "suffix"): "a text for the model",
    ("GenerateRequest", "system"): "a text for the model",
    ("GenerateRequest", "template"): "refused, except the empty template",
    ("GenerateRequest", "think"): "a value for the chat template",
    ("GenerateRequest", "top_logprobs"): "a number, checked like that of a client's request",
    ("Message", "content"): "a text for the model",
    ("Message", "images"): "data in base64, never an address",
    ("Message", "role"): "one of a fixed set",
    ("Message", "thinking"): "a text for the model",
    ("Message", "tool_call_id"): "a text for the model",
    ("Message", "tool_calls"): "content for the model",
    ("Message", "tool_name"): "a text for the model",
    ("NamedModel", "model"): "a name that is looked up in the catalogue",
    ("NamedModel", "name"): "a name that is looked up in the catalogue",
    ("PullRequest", "model"): "a repository: its files are written below models/",
    ("PullRequest", "name"): "a repository: its files are written below models/",
    ("PullRequest", "stream"): "true or false",
    ("ToolCall", "function"): "content for the model",
    ("ToolCall", "id"): "a text for the model",
    ("EventsQuery", "requests"): "true or false",
    ("RequestsQuery", "after"): "a number",
    ("RequestsQuery", "before"): "a number",
    ("RequestsQuery", "client"): "a text that is compared",
    ("RequestsQuery", "error"): "a text that is compared",
    ("RequestsQuery", "failed"): "true or false",
    ("RequestsQuery", "key"): "a text that is compared",
    ("RequestsQuery", "limit"): "a number",
    ("RequestsQuery", "min_duration_s"): "a number",
    ("RequestsQuery", "model"): "a text that is compared",
    ("RequestsQuery", "node"): "a text that is compared",
    ("RequestsQuery", "profile"): "a text that is compared",
    ("RequestsQuery", "q"): "a text that is compared",
    ("RequestsQuery", "request_id"): "a text that is compared",
    ("RequestsQuery", "route"): "a text that is compared",
    ("RequestsQuery", "since"): "a time",
    ("RequestsQuery", "state"): "one of a fixed set",
    ("RequestsQuery", "status"): "one of a fixed set",
    ("RequestsQuery", "swap"): "true or false",
    ("RequestsQuery", "until"): "a time",
    ("SwapsQuery", "limit"): "a number",
    ("UsageParameters", "by"): "some of a fixed set",
    ("UsageParameters", "client"): "a text that is compared",
    ("UsageParameters", "key"): "a text that is compared, and other keys' usage is for admins",
    ("UsageParameters", "model"): "a text that is compared",
    ("UsageParameters", "since"): "a time",
    ("UsageParameters", "until"): "a time",
    ("WithdrawQuery", "front"): "a text that is compared",
    ("CancelQuery", "files"): "true or false; only the parts of this download are deleted",
    ("ClientsQuery", "model"): "a name that is looked up in the catalogue",
    ("ClientsQuery", "url"): "a URL without a path, shown in settings and never requested",
    ("LogEventsQuery", "lines"): "a number",
    ("LogQuery", "lines"): "a number",
    ("EngineQuery", "autoload"): "true or false",
    ("EngineQuery", "model"): "a name that is looked up in the catalogue",
    ("Forwarded", "model"): "a name that is looked up in the catalogue",
    ("Forwarded", "num_ctx"): "a number, bounded by the trained context",
    ("Forwarded", "stream"): "true or false",
    ("LoadOptions", "node"): "a name that is looked up among the nodes of the settings",
    ("LoadOptions", "num_ctx"): "a number, bounded by the trained context",
    ("ModelChanges", "aliases"): "names",
    ("ModelChanges", "context"): "a number, bounded by the trained context",
    ("ModelChanges", "idle_ttl_s"): "a number",
    ("ModelChanges", "is_pinned"): "true or false",
    ("ModelChanges", "keep_conversations"): "true or false",
    ("ModelChanges", "kind"): "one of a fixed set",
    ("ModelChanges", "name"): "a name",
    ("ModelChanges", "priority"): "one of a fixed set",
    ("ModelChanges", "tags"): "printable texts",
    ("NewDownload", "target"): "a repository or an https URL: its files are written below models/",
    ("NewModel", "aliases"): "names",
    ("NewModel", "name"): "a name",
    (
        "NewModel",
        "path",
    ): "the file that add reads and records; it must be a GGUF file, and is never written or run",
    ("NewProfile", "defaults"): "request fields, checked like those of a client's request",
    ("NewProfile", "description"): "a text",
    ("NewProfile", "strip"): "names of request fields",
    ("NewProfile", "system"): "a text for the model",
    ("NewProfile", "template_kwargs"): "values for the chat template, as in a client's request",
    ("ProfileQuery", "model"): "a name that is looked up in the catalogue",
    ("RemoveQuery", "files"): "true or false; only files that gglib wrote are deleted",
    ("RevisionQuery", "revision"): "a revision on the hub",
    ("RouterModel", "model"): "a name that is looked up in the catalogue",
    ("SearchQuery", "limit"): "a number",
    ("SearchQuery", "max_size"): "a number",
    ("SearchQuery", "q"): "search terms for the hub",
    ("SearchQuery", "sort"): "one of a fixed set",
    ("UnloadOptions", "node"): "a name that is looked up among the nodes of the settings",
}
"""All fields that a request may set, and why each is harmless. Bodies of forwarded requests are checked by
``guards.engine_fields``."""


def fields() -> Iterator[tuple[str, str]]:
    """Yield type and name of each field of each body and query in the table of operations, nested types included."""
    pending = [
        type_ for operation in OPERATIONS for type_ in (operation.spec.body, operation.spec.query) if type_
    ]
    _, components = msgspec.json.schema_components(pending, ref_template="{name}")
    for type_name, schema in components.items():
        for name in schema.get("properties", ()):
            yield type_name, name


def test_every_field_of_every_request_is_reviewed() -> None:
    """A new field needs a row that says why a request may set it."""
    assert set(fields()) == set(ALLOWED)


def test_no_request_has_a_protected_field() -> None:
    """The path of a model to add is the exception."""
    assert {(type_, name) for type_, name in fields() if name in NEVER_OVER_HTTP} == {("NewModel", "path")}


@pytest.mark.parametrize("name", NEVER_OVER_HTTP)
def test_protected_field_is_forbidden(name: str) -> None:
    """403 instead of the 400 of an unknown field, with the way to set it on the machine."""
    with pytest.raises(ForbiddenError, match=f"'{name}' cannot be set over HTTP: .* on the server's machine"):
        read_body(NoFields, b'{"%b": "x"}' % name.encode())
    with pytest.raises(ForbiddenError, match=f"'{name}' cannot be set over HTTP"):
        read_query(NoFields, b"%b=x" % name.encode())


@pytest.mark.parametrize(
    "hint", sorted(set(re.findall(r"'gglib ([^']+)'", " ".join(NEVER_OVER_HTTP.values()))))
)
def test_the_way_on_the_machine_has_its_options_where_they_are_taken(hint: str) -> None:
    """``gglib --home DIR serve`` is a command, and ``gglib serve --home DIR`` is none."""
    context = click.Context(cli)
    name = next(word for word in hint.split() if cli.get_command(context, word) is not None)
    command = cli.get_command(context, name)
    assert command is not None
    before, _, after = hint.partition(name)
    for words, owner in ((before, cli), (after, command)):
        options = {option for parameter in owner.params for option in parameter.opts}
        assert {word for word in words.split() if word[:2] == "--" and word != "--"} <= options


@pytest.mark.parametrize("name", sorted(NEVER_OVER_HTTP.keys() - {"path"}))
def test_protected_field_is_forbidden_beside_valid_ones(name: str) -> None:
    """A body that is otherwise valid is refused as a whole."""
    with pytest.raises(ForbiddenError):
        read_body(NewModel, b'{"path": "/m.gguf", "%b": null}' % name.encode())
    with pytest.raises(ForbiddenError):
        read_body(NewDownload, b'{"target": "a/b", "%b": ["--host", "0.0.0.0"]}' % name.encode())
    with pytest.raises(ForbiddenError):
        read_query(SearchQuery, b"q=x&%b=y" % name.encode())


def test_other_names_are_not_protected() -> None:
    """An unknown field stays a bad request."""
    refuse_protected("colour")
