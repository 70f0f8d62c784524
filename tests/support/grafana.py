"""Reads Grafana's dashboard of gglib for tests."""

import json
from typing import Any

from gglib.app.monitoring.dashboard import dashboard_text

Json = dict[str, Any]


def dashboard() -> Json:
    """Return the dashboard."""
    content: Json = json.loads(dashboard_text())
    return content


def panels() -> list[Json]:
    """Return the panels without the headings of rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """Return the title of the panel and the query, of every query; also of the marks in the graphs."""
    found = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    return [*found, *((mark["name"], mark["expr"]) for mark in dashboard()["annotations"]["list"])]
