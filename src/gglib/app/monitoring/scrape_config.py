"""The configuration with which Prometheus scrapes a server. Pure."""

import json
from urllib.parse import urlsplit

SCRAPE_INTERVAL_S = 15
"""Short enough to show a swap; Prometheus's own default is a minute."""


def scrape_config(url: str, credentials_file: str | None) -> str:
    """Return the content of a ``prometheus.yml`` for a server.

    ``url`` is the server's base URL, without a path. ``credentials_file`` is a file that has nothing but an admin key,
    relative to the directory of ``prometheus.yml``; None: no key is required.
    """
    parts = urlsplit(url)
    lines = [
        "scrape_configs:",
        "  - job_name: gglib",
        f"    scrape_interval: {SCRAPE_INTERVAL_S}s",
    ]
    if parts.scheme == "https":
        lines.append("    scheme: https")
    if credentials_file is not None:
        lines += ["    authorization:", f"      credentials_file: {_quoted(credentials_file)}"]
    lines += ["    static_configs:", f"      - targets: [{_quoted(parts.netloc)}]"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a YAML string: every string of JSON is one (YAML 1.2, section 1.3)."""
    return json.dumps(text)
