"""The kinds of panels, as the JSON of Grafana's dashboard schema 38 (Grafana 10; later versions read it)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
LETTERS = "ABCDEFGHIJ"
"""Names of the queries of a panel."""
GREEN, ORANGE, RED, GREY, BLUE = "green", "orange", "red", "text", "blue"


@dataclass(frozen=True, slots=True)
class Query:
    """A query in PromQL, and the legend of its series: ``{{model}}`` is the value of a label."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel without its place."""

    title: str
    description: str
    queries: tuple[Query, ...]
    width: int
    """Of 24 columns."""
    height: int
    """In rows of about 38 pixels."""
    body: Json
    """What depends on the kind of panel."""
    is_table: bool = False

    def json(self, number: int, x: int, y: int) -> Json:
        """Return Grafana's form."""
        return {
            "id": number,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [
                self._target(letter, query) for letter, query in zip(LETTERS, self.queries, strict=False)
            ],
            **self.body,
        }

    def _target(self, letter: str, query: Query) -> Json:
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "format": "table" if self.is_table else "time_series",
            "instant": self.is_table,
            "legendFormat": query.legend or "__auto",
            "range": not self.is_table,
            "refId": letter,
        }


def stat(  # noqa: PLR0913 - the properties of a panel
    title: str,
    description: str,
    query: str,
    unit: str,
    *,
    steps: Mapping[float, str] | None = None,
    decimals: int | None = None,
    has_graph: bool = True,
) -> Panel:
    """Return a single number; its colour changes at ``steps``."""
    defaults = {**_defaults(unit, steps), "noValue": "-"}
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "colorMode": "value",
        "graphMode": "area" if has_graph else "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
    }
    body = {"type": "stat", "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options}
    return Panel(title=title, description=description, queries=(Query(query),), width=3, height=4, body=body)


def graph(  # noqa: PLR0913 - the properties of a panel
    title: str,
    description: str,
    queries: Query | Sequence[Query],
    unit: str,
    *,
    empty: str = "No data yet",
    is_stacked: bool = False,
    maximum: float | None = None,
    overrides: Sequence[Json] = (),
    width: int = 8,
) -> Panel:
    """Return lines over time; ``empty`` is shown instead of an empty graph."""
    custom = _custom(fillOpacity=25 if is_stacked else 8, stacking="normal" if is_stacked else "none")
    defaults = {**_defaults(unit), "custom": custom, "min": 0, "noValue": empty}
    if maximum is not None:
        defaults["max"] = maximum
    return _over_time(title, description, queries, {"defaults": defaults, "overrides": [*overrides]}, width)


def counts(
    title: str,
    description: str,
    queries: Query | Sequence[Query],
    *,
    overrides: Sequence[Json] = (),
    width: int = 8,
) -> Panel:
    """Return stacked bars of counts, a minute or more each."""
    custom = {**_custom(fillOpacity=70, stacking="normal"), "drawStyle": "bars", "lineWidth": 0}
    defaults = {**_defaults("short"), "custom": custom, "decimals": 0, "min": 0, "noValue": "No data yet"}
    panel = _over_time(title, description, queries, {"defaults": defaults, "overrides": [*overrides]}, width)
    panel.body["interval"] = "1m"  # four scrapes, so that each bar sees a change
    return panel


def states(title: str, description: str, query: Query, names: Mapping[int, tuple[str, str]]) -> Panel:
    """Return a band for each series, over the full width; ``names`` has the text and colour of each value."""
    mapping = {
        str(value): {"text": text, "color": color, "index": value} for value, (text, color) in names.items()
    }
    defaults = {
        **_defaults("none"),
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 70, "lineWidth": 0},
        "mappings": [{"type": "value", "options": mapping}],
        "noValue": "No model has been loaded yet",
    }
    options = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    field_config = {"defaults": defaults, "overrides": []}
    body = {"type": "state-timeline", "fieldConfig": field_config, "options": options}
    return Panel(title=title, description=description, queries=(query,), width=24, height=7, body=body)


def table(title: str, description: str, label: str, columns: Mapping[str, Query]) -> Panel:
    """Return a table with a row for each value of ``label`` and a column for each query, over the selected time."""
    renamed = {f"Value #{letter}": name for letter, name in zip(LETTERS, columns, strict=False)}
    order = {"Time": 0, label: 1, **{name: n for n, name in enumerate(renamed, 2)}}
    organize = {
        "excludeByName": {"Time": True},
        "indexByName": order,
        "renameByName": {**renamed, label: label.title()},
    }
    body = {
        "type": "table",
        "fieldConfig": {
            "defaults": {**_defaults("short"), "custom": {"align": "auto"}, "decimals": 0, "noValue": "-"},
            "overrides": [],
        },
        "options": {
            "cellHeight": "sm",
            "showHeader": True,
            "footer": {"show": False, "reducer": ["sum"], "fields": ""},
        },
        "transformations": [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}],
    }
    queries = tuple(columns.values())
    return Panel(
        title=title, description=description, queries=queries, width=24, height=7, body=body, is_table=True
    )


def colored(names: str, color: str) -> Json:
    """Return an override: the colour of the series whose names match a regular expression."""
    fixed = {"id": "color", "value": {"fixedColor": color, "mode": "fixed"}}
    return {"matcher": {"id": "byRegexp", "options": f"/{names}/"}, "properties": [fixed]}


def limit_line(name: str) -> Json:
    """Return an override: the series is a dashed red line above the others, not stacked."""
    properties = {
        "color": {"fixedColor": RED, "mode": "fixed"},
        "custom.fillOpacity": 0,
        "custom.lineStyle": {"fill": "dash", "dash": [10, 10]},
        "custom.stacking": {"group": "A", "mode": "none"},
    }
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


def _over_time(
    title: str, description: str, queries: Query | Sequence[Query], field_config: Json, width: int
) -> Panel:
    options = {
        "legend": {
            "calcs": ["lastNotNull"],
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    body = {"type": "timeseries", "fieldConfig": field_config, "options": options}
    several = (queries,) if isinstance(queries, Query) else tuple(queries)
    return Panel(title=title, description=description, queries=several, width=width, height=8, body=body)


def _defaults(unit: str, steps: Mapping[float, str] | None = None) -> Json:
    thresholds: list[Json] = [{"color": GREEN if steps else BLUE, "value": None}]
    thresholds += [{"color": color, "value": value} for value, color in (steps or {}).items()]
    return {
        "color": {"mode": "thresholds" if steps else "palette-classic"},
        "mappings": [],
        "thresholds": {"mode": "absolute", "steps": thresholds},
        "unit": unit,
    }


def _custom(*, fillOpacity: int, stacking: str) -> Json:  # noqa: N803 - Grafana's name
    return {
        "drawStyle": "line",
        "fillOpacity": fillOpacity,
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "pointSize": 4,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": stacking},
    }
