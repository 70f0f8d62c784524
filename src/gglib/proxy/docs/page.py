"""Renders the OpenAPI document as one HTML page without scripts or external resources. Pure."""

import base64
import html
import re
from hashlib import sha256
from typing import Any

from gglib.http.headers import Headers

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2128;--soft:#57606a;--paper:#fff;--card:#f6f8fa;--line:#d0d7de;--get:#0969da;
--post:#1a7f37;--patch:#9a6700;--delete:#cf222e}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--paper:#0d1117;--card:#161b22;--line:#30363d;
--get:#58a6ff;--post:#3fb950;--patch:#d29922;--delete:#f85149}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 6rem;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,sans-serif}
h1{font-size:1.7rem;margin:0}h2{font-size:1.2rem;margin:2.5rem 0 .75rem}h3{font-size:.95rem;margin:1rem 0 .35rem}
p{margin:.5rem 0}small,.soft{color:var(--soft)}a{color:var(--get)}
code,pre{font:.875em/1.5 ui-monospace,monospace}pre{overflow-x:auto;padding:.75rem;border:1px solid var(--line);
border-radius:6px;background:var(--paper)}
details{border:1px solid var(--line);border-radius:8px;background:var(--card);margin:.5rem 0}
summary{display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:baseline;padding:.6rem .9rem;cursor:pointer;
list-style:none}
summary::-webkit-details-marker{display:none}
summary:focus-visible{outline:2px solid var(--get);border-radius:8px}
summary code{font-weight:600;overflow-wrap:anywhere}
.in{padding:0 .9rem .9rem}.verb{min-width:4.2rem;font:700 .8rem ui-monospace,monospace}
.get{color:var(--get)}.post{color:var(--post)}.patch{color:var(--patch)}.delete{color:var(--delete)}
table{border-collapse:collapse;width:100%;font-size:.925rem}
td{padding:.35rem .75rem .35rem 0;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td:first-child{white-space:nowrap}
"""
_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()

PAGE_HEADERS: Headers = [
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'".encode(),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
"""The page has the server's own origin, which is authorized, so no script may run in it."""

_CODE = re.compile(r"`([^`]*)`")
_REFERENCE = "#/components/schemas/"


def render_page(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    info = document["info"]
    groups = "".join(_group(tag["name"], document["paths"]) for tag in document["tags"])
    schemas = "".join(
        _schema_section(name, schema) for name, schema in document["components"]["schemas"].items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{_escape(info['title'])} <small>{_escape(info['version'])}</small></h1>"
        f"<p>{_markup(info['description'])}</p>"
        '<p class="soft">For clients: <a href="/openapi.json">openapi.json</a></p>'
        f"<main>{groups}<h2>Schemas</h2>{schemas}</main></body></html>\n"
    )


def _group(group: str, paths: dict[str, Any]) -> str:
    operations = [
        _operation(method, path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if group in operation["tags"]
    ]
    return f"<section><h2>{_escape(group)}</h2>{''.join(operations)}</section>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{_markup(operation['description'])}</p>"]
    if "parameters" in operation:
        parts.append(_table("Parameters", map(_parameter, operation["parameters"])))
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        parts.append(f"<h3>Body</h3><p>{_type_text(content['schema'])}</p>")
    parts.append(_table("Responses", [_response(*item) for item in operation["responses"].items()]))
    return (
        f'<details id="{_escape(operation["operationId"])}"><summary><span class="verb {_escape(method)}">'
        f"{_escape(method.upper())}</span><code>{_escape(path)}</code>"
        f'<span class="soft">{_escape(operation["summary"])}</span></summary>'
        f'<div class="in">{"".join(parts)}</div></details>'
    )


def _parameter(parameter: dict[str, Any]) -> tuple[str, str]:
    need = "required" if parameter["required"] else "optional"
    where = f"{_type_text(parameter['schema'])}, in the {_escape(parameter['in'])}"
    return (
        f"<code>{_escape(parameter['name'])}</code>",
        f"{_markup(parameter['description'])} <small>{where}, {need}</small>",
    )


def _fields(schema: dict[str, Any]) -> list[tuple[str, str]]:
    required = schema.get("required", ())
    return [
        (f"<code>{_escape(name)}</code>", _field(field, is_required=name in required))
        for name, field in schema.get("properties", {}).items()
    ]


def _field(schema: dict[str, Any], *, is_required: bool) -> str:
    need = "" if is_required else ", optional"
    return f"{_markup(schema.get('description', ''))} <small>{_type_text(schema)}{need}</small>"


def _response(status: str, response: dict[str, Any]) -> tuple[str, str]:
    kinds = [
        f"{_escape(media)} {_type_text(content.get('x-event-data') or content.get('schema', {}))}"
        for media, content in response["content"].items()
    ]
    return (
        f"<code>{_escape(status)}</code>",
        f"{_markup(response['description'])} <small>{', '.join(kinds)}</small>",
    )


def _schema_section(name: str, schema: dict[str, Any]) -> str:
    return (
        f'<details id="{_escape(name)}"><summary><code>{_escape(name)}</code></summary>'
        f'<div class="in">{_table("", _fields(schema))}</div></details>'
    )


def _type_text(schema: dict[str, Any]) -> str:
    """Return the type of a schema as HTML, with links to named schemas."""
    if "$ref" in schema:
        name = _escape(schema["$ref"].removeprefix(_REFERENCE))
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_type_text, schema["anyOf"]))
    if "const" in schema:
        return f"<code>{_escape(str(schema['const']))}</code>"
    if "enum" in schema:
        return " | ".join(f"<code>{_escape(str(value))}</code>" for value in schema["enum"])
    types = schema.get("type", "")
    words = " or ".join(_escape(name) for name in (types if isinstance(types, list) else [types]))
    if "items" in schema:
        words += f" of {_type_text(schema['items'])}"
    if schema.get("type") == "object" and "properties" in schema:
        words += (
            " {"
            + ", ".join(
                f"{_escape(name)}: {_type_text(field)}" for name, field in schema["properties"].items()
            )
            + "}"
        )
    limits = [f"{word} {schema[key]}" for key, word in _LIMITS.items() if schema.get(key)]
    return words + (f" ({', '.join(limits)})" if limits else "")


_LIMITS = {
    "minimum": "from",
    "maximum": "to",
    "minLength": "characters from",
    "maxLength": "to",
    "maxItems": "at most",
    "default": "default",
}


def _table(title: str, rows: Any) -> str:  # noqa: ANN401 - pairs of HTML
    body = "".join(f"<tr><td>{left}</td><td>{right}</td></tr>" for left, right in rows)
    return f"{f'<h3>{_escape(title)}</h3>' if title else ''}<table>{body}</table>"


def _markup(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", _escape(text))


def _escape(text: str) -> str:
    return html.escape(text)
