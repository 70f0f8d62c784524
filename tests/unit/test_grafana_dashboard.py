"""Grafana's dashboard of gglib: its file, its form by Grafana's schema, and the names in its queries."""

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from tests.support.grafana import Json, dashboard, panels, queries
from tests.support.promql import PromQLError, check

from .proxy.telemetry.test_prometheus import label_names, metrics_with_keys, shown

ROOT = Path(__file__).parents[2]
UNITS = {"bytes", "none", "percentunit", "reqps", "s", "short"}
"""Units of Grafana (``@grafana/data`` 10 to 12) that the dashboard uses; others are a prefix or a suffix."""
KINDS = {"row", "stat", "state-timeline", "table", "timeseries"}
PANEL_FIELDS = {"id", "type", "title", "gridPos"}
LABELS = label_names(shown(metrics_with_keys())) | {
    name: set()
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds")
}


def test_file_is_up_to_date() -> None:
    """It is what the description of the panels gives."""
    command = [sys.executable, "-m", "scripts.grafana_dashboard", "--check"]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0, "run 'make grafana-dashboard'"


@pytest.mark.parametrize(("title", "query"), queries())
def test_queries_use_existing_metrics_and_labels(title: str, query: str) -> None:
    """A renamed metric or label would leave a panel empty, without an error."""
    del title
    check(query, LABELS)


@pytest.mark.parametrize("name", sorted(LABELS))
def test_a_missing_metric_is_noticed(name: str) -> None:
    """Each metric of a query is found by the parser."""
    used = [query for _, query in queries() if re.search(rf"\b{name}\b", query)]
    for query in used:
        with pytest.raises(PromQLError, match=name):
            check(query, {metric: labels for metric, labels in LABELS.items() if metric != name})


@pytest.mark.parametrize("name", ["requests_total", "key_errors_total", "history_requests_total"])
def test_what_users_ask_for_is_shown(name: str) -> None:
    """Metrics that are of no use without a panel."""
    assert any(f"gglib_{name}" in query for _, query in queries())


def test_dashboard_can_be_imported() -> None:
    """The fields that Grafana requires; an id would be that of another dashboard of the server."""
    found = dashboard()
    assert (found["id"], found["uid"], found["schemaVersion"]) == (None, "gglib", 38)
    assert found["title"] == "gglib"
    assert "__inputs" not in found
    assert re.fullmatch(r"[\w-]{1,40}", found["uid"])


def test_variables() -> None:
    """The data source can be chosen; all values of the others are chosen at first."""
    source, *others = dashboard()["templating"]["list"]
    assert (source["type"], source["name"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert [variable["name"] for variable in others] == ["instance", "model", "key"]
    for variable in others:
        assert variable["includeAll"]
        assert variable["allValue"] == ".*", "a series without the label has to match"
        assert variable["query"]["query"] == variable["definition"]
        used = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
        assert used is not None
        check(f"sum by ({used[2]}) ({used[1]})", LABELS)


def test_variables_of_queries_exist() -> None:
    """Grafana leaves an unknown variable in the query as it is."""
    text = " ".join(query for _, query in queries())
    named = {variable["name"] for variable in dashboard()["templating"]["list"]}
    used = set(re.findall(r"\$(\w+)", text))
    assert used - {"__interval", "__rate_interval", "__range"} == named - {"datasource"}


def test_panels_do_not_overlap_and_leave_no_gap() -> None:
    """Each is within the 24 columns; their areas together are that of the rows."""
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_below, (one, other)
    height = max(place["y"] + place["h"] for place in places)
    assert sum(place["w"] * place["h"] for place in places) == 24 * height


def test_ids_and_titles_are_unique() -> None:
    """Links to a panel have its id; readers know it by its title."""
    found = dashboard()["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    assert len({panel["title"] for panel in found if panel["type"] == "timeseries"}) == len(
        [panel for panel in found if panel["type"] == "timeseries"]
    )
    assert {panel["type"] for panel in found} == KINDS
    assert all(panel.keys() >= PANEL_FIELDS for panel in found)


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_panel(panel: Json) -> None:
    """It has a description, queries to the chosen data source, a unit, and something to show without data."""
    assert panel["description"].endswith((".", ")."))
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["datasource"] == source
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for target in panel["targets"]:
        assert target["datasource"] == source
        assert target["range"] != target["instant"]
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= set(
            re.findall(r"\w+", target["expr"])
        )
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS or defaults["unit"].startswith(("suffix:", "prefix:"))
    assert defaults["noValue"]
    first, *others = defaults["thresholds"]["steps"]
    assert first["value"] is None
    assert all(step["value"] is not None for step in others)


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_counts_have_windows_without_overlap(panel: Json) -> None:
    """Bars count with ``$__interval`` of at least four scrapes; rates have ``$__rate_interval``."""
    for target in panel["targets"]:
        windows = set(re.findall(r"(?:\[|offset )(\$\w+|\d\w+)", target["expr"]))
        if "increase(" in target["expr"] and panel["type"] == "timeseries":
            assert windows == {"$__interval"}
            assert panel["interval"] == "1m"
        elif panel["type"] == "table":
            assert windows == {"$__range"}
        else:
            assert windows <= {"$__rate_interval"}


def test_every_state_of_a_model_has_a_value() -> None:
    """The timeline shows each state, and models that are not in memory."""
    timeline = next(panel for panel in panels() if panel["type"] == "state-timeline")
    options = timeline["fieldConfig"]["defaults"]["mappings"][0]["options"]
    for number, shown_as in options.items():
        if number != "0":
            assert f"{number} * group by (model) (gglib_resident_models{{" in timeline["targets"][0]["expr"]
            assert f'state="{shown_as["text"]}"' in timeline["targets"][0]["expr"]
    states = re.search(r"by state: ([\w, ]+)\.", shown(metrics_with_keys()))
    assert states is not None
    assert {shown_as["text"] for shown_as in options.values()} == {*states[1].split(", "), "not in memory"}
