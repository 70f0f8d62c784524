"""Grafana's dashboard of gglib, ``grafana/gglib.json``, which ``python -m scripts.grafana_dashboard`` writes."""

from pathlib import Path

FILE = Path(__file__).parent / "grafana" / "gglib.json"


def dashboard_text() -> str:
    """Return the dashboard as JSON (Grafana's schema 38), which ends with a line feed."""
    return FILE.read_text(encoding="utf-8")
