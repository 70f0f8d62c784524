"""``gglib dashboard``: what Grafana and Prometheus read, on stdout alone."""

import json
import signal

from .conftest import Home


def test_dashboard_is_printed(home: Home) -> None:
    """JSON on stdout and nothing else, so that it can be redirected to a file."""
    done = home.process("dashboard")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["uid"] == "gglib"


def test_scrape_config_has_the_address_of_the_running_server(home: Home) -> None:
    """Its port is chosen at the start; without a server there is none to print."""
    assert "start it first, with 'gglib serve'" in home.refused("dashboard", "--scrape-config")
    with home.serving() as running:
        config = home.ok("dashboard", "--scrape-config")
        assert f'targets: ["{running.url.removeprefix("http://")}"]' in config
        assert "authorization" not in config
        assert running.end(signal.SIGTERM) == 0


def test_scrape_config_names_the_file_of_the_key_where_keys_are_set(home: Home) -> None:
    """Stderr says how to make it; the key itself is in neither."""
    home.set("[api_keys]")
    home.set('alice = "alice-secret"')
    (home.path / "config.toml").chmod(0o600)
    home.variables["GGLIB_PORT"] = "18080"
    done = home.run("dashboard", "--scrape-config")
    assert 'targets: ["127.0.0.1:18080"]' in done.stdout
    assert 'credentials_file: "gglib.key"' in done.stdout
    assert "'gglib key new --admin prometheus > gglib.key'" in done.stderr
    assert "alice-secret" not in done.stdout + done.stderr
    other = home.run("dashboard", "--scrape-config", "--credentials-file", "/etc/gglib key")
    assert 'credentials_file: "/etc/gglib key"' in other.stdout
    assert other.stderr == ""


def test_scrape_config_of_a_remote_server(home: Home) -> None:
    """It has the address that was given; the key of a remote server may not be known here."""
    config = home.ok("--url", "https://box", "dashboard", "--scrape-config")
    assert "scheme: https" in config
    assert 'targets: ["box' in config
    assert "authorization" not in config
    home.variables["GGLIB_REMOTE_KEY"] = "remote-secret"
    with_key = home.ok("--url", "https://box", "dashboard", "--scrape-config")
    assert "credentials_file" in with_key
    assert "remote-secret" not in with_key


def test_file_of_the_key_belongs_to_the_scrape_config(home: Home) -> None:
    """Elsewhere it would be ignored."""
    done = home.run("dashboard", "--credentials-file", "x")
    assert done.returncode == 2
    assert "--credentials-file belongs to --scrape-config." in done.stderr
