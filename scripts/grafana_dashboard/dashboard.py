"""The dashboard: rows of panels, variables, and the marks of gglib's starts."""

import json

from scripts.grafana_dashboard import request_rows, server_rows
from scripts.grafana_dashboard.panels import DATASOURCE, Json
from scripts.grafana_dashboard.queries import IS_GGLIB, SERVER

WIDTH = 24
"""Columns of Grafana's grid."""
ROWS = {
    "Overview": request_rows.overview,
    "Requests": request_rows.traffic,
    "Times": request_rows.times,
    "Tokens": request_rows.tokens,
    "Models and queue": server_rows.models,
    "Memory of models": server_rows.memory,
    "Kept prompts": server_rows.kept_prompts,
    "Nodes": server_rows.nodes,
    "Access keys": request_rows.keys,
    "Server": server_rows.server,
}


def text() -> str:
    """Return the file."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def dashboard() -> Json:
    """Return the dashboard in Grafana's schema."""
    return {
        "annotations": {"list": [_starts()]},
        "description": "Requests, tokens, models and memory of gglib. Made from scripts/grafana_dashboard.",
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [],
        "panels": _placed(),
        "refresh": "30s",
        "schemaVersion": 38,
        "tags": ["gglib", "llm"],
        "templating": {"list": [_data_source(), *_variables()]},
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "timezone": "",
        "title": "gglib",
        "uid": "gglib",
        "version": 1,
        "weekStart": "",
    }


def _placed() -> list[Json]:
    """Return the panels of all rows, from left to right and from top to bottom, with the rows' headings."""
    placed: list[Json] = []
    y = 0
    for title, panels in ROWS.items():
        placed.append(_heading(title, len(placed) + 1, y))
        y += 1
        x = height = 0
        for panel in panels():
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            placed.append(panel.json(len(placed) + 1, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return placed


def _heading(title: str, number: int, y: int) -> Json:
    place = {"h": 1, "w": WIDTH, "x": 0, "y": y}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _data_source() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _variables() -> list[Json]:
    requests = f"gglib_requests_total{{{SERVER}}}"
    return [
        _variable("instance", "Server", "label_values(gglib_build_info, instance)"),
        _variable("model", "Model", f"label_values({requests}, model)"),
        _variable("key", "Key", f"label_values({requests}, key)"),
    ]


def _variable(name: str, label: str, query: str) -> Json:
    """Return a variable of which several values can be chosen. All: also series without the label."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "options": [],
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
    }


def _starts() -> Json:
    """Return marks at the times at which gglib was started: its counters began at 0."""
    return {
        "name": "Starts of gglib",
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "blue",
        "expr": f"process_start_time_seconds{{{SERVER}}} * 1000{IS_GGLIB}",
        "textFormat": "{{instance}}",
        "titleFormat": "gglib started",
        "useValueForTime": True,
    }
