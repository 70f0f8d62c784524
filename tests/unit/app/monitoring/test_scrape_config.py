"""The configuration with which Prometheus scrapes a server."""

import pytest

from gglib.app.monitoring.scrape_config import scrape_config


def test_server_without_keys() -> None:
    """The whole file: address and interval; Prometheus's defaults are HTTP and ``/metrics``."""
    assert scrape_config("http://127.0.0.1:8080", None) == (
        "scrape_configs:\n"
        "  - job_name: gglib\n"
        "    scrape_interval: 15s\n"
        "    static_configs:\n"
        '      - targets: ["127.0.0.1:8080"]\n'
    )


def test_key_is_in_a_file() -> None:
    """Only the file's name is in the configuration; any name is one string of YAML."""
    config = scrape_config("http://127.0.0.1:8080", 'a "b": #c\n')
    assert '    authorization:\n      credentials_file: "a \\"b\\": #c\\n"\n    static' in config


@pytest.mark.parametrize(
    ("url", "target", "is_https"),
    [
        ("https://box", "box", True),
        ("https://box:8443", "box:8443", True),
        ("http://[::1]:8080", "[::1]:8080", False),
    ],
)
def test_address(url: str, target: str, is_https: bool) -> None:  # noqa: FBT001 - a case of the table
    """A target has no scheme; without a port it has that of its scheme."""
    config = scrape_config(url, None)
    assert f'targets: ["{target}"]' in config
    assert ("scheme: https" in config) == is_https
