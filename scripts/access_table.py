"""Write the tables of ``docs/access.md`` from the code: routes by the callers that may use them, and protected fields.

Each table stands between two markers, so that the text around it is written by hand.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts.marked_document import write_parts

from gglib.proxy.access.never_over_http import NEVER_OVER_HTTP
from gglib.proxy.routes.operation_spec import Access, OperationSpec
from gglib.proxy.routes.table import OPERATIONS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "access.md"
BEGIN, END = "<!-- {}: written by `make access-table` -->", "<!-- end of {} -->"
_QUOTED = re.compile(r"(?<!\w)'([^']+)'")

COLUMNS = {
    Access.PUBLIC: ("yes", "yes", "yes", "all clients"),
    Access.CLIENT: ("401", "yes", "yes", "all clients"),
    Access.ADMIN_KEY: ("401", "403", "yes", "all clients"),
    Access.ADMIN: ("401", "403", "yes", "local programs and own pages"),
}
"""The responses to a request without a key, with a key and with an admin key; and the callers if no keys are set."""


def routes_table(specs: Iterable[OperationSpec]) -> str:
    """Return the table of routes, in the order of the specs."""
    head = ["| Route | No key | Any key | Admin key | If no keys are set |", "|---|---|---|---|---|"]
    rows = [f"| `{spec.method} {spec.path}` | {' | '.join(COLUMNS[spec.access])} |" for spec in specs]
    return "\n".join([*head, *rows])


def fields_table() -> str:
    """Return the table of the fields that no request may set."""
    head = ["| Field | Instead |", "|---|---|"]
    rows = [
        f"| `{name}` | {_QUOTED.sub(_as_code, instead)} |"
        for name, instead in sorted(NEVER_OVER_HTTP.items())
    ]
    return "\n".join([*head, *rows])


def tables() -> dict[str, str]:
    """Return all tables by name."""
    specs = (operation.spec for operation in OPERATIONS)
    return {"routes": routes_table(specs), "fields": fields_table()}


def _as_code(quoted: re.Match[str]) -> str:
    return f"`{quoted[1]}`"


def main() -> int:
    """Write the tables, or check them."""
    return write_parts(
        DOCUMENT, tables, markers=(BEGIN, END), about=__doc__ or "", command="make access-table"
    )


if __name__ == "__main__":
    sys.exit(main())
