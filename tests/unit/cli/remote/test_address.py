"""Which server a command uses: the forms of an address, GGLIB_HOST and the key."""

import pytest

from gglib.cli.remote.address import (
    find_remote,
    is_address_of_this_machine,
    plaintext_key_warning,
    server_url,
)
from gglib.core.addresses import Endpoint
from gglib.core.errors import InvalidSettingError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("box", "http://box:8080"),
        (" box:9000 ", "http://box:9000"),
        ("http://box", "http://box"),
        ("http://box:8080/", "http://box:8080"),
        ("https://box.example", "https://box.example"),
        ("https://BOX:8443", "https://box:8443"),
        ("192.168.1.2", "http://192.168.1.2:8080"),
        ("fe80::1", "http://[fe80::1]:8080"),
        ("[fe80::1]:9000", "http://[fe80::1]:9000"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_forms_of_an_address(text: str, url: str) -> None:
    """As Ollama's: without a scheme http and gglib's port, with one the scheme's port."""
    assert server_url(text, source="--url") == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "ftp://box",
        "box:port",
        "box:99999",
        "http://box/v1",
        "box?x=1",
        "http://u:SECRET@box",
        "[::1",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    """A path would be another server's, and a password belongs into a variable."""
    with pytest.raises(InvalidSettingError, match="--url must be") as caught:
        server_url(text, source="--url")
    assert "SECRET" not in str(caught.value)


def remote(
    environ: dict[str, str], *, url: str | None = None, key_env: str | None = None, listens: bool = False
) -> Endpoint | None:
    """Find the server on a machine called ``me``."""
    return find_remote(url, key_env, environ, listens=listens, is_own_address=lambda host: host == "me")


@pytest.mark.parametrize("host", ["", " ", "0.0.0.0", "::", "127.0.0.1", "localhost", "::1", "me"])  # noqa: S104
def test_an_address_to_listen_on_is_this_machine(host: str) -> None:
    """GGLIB_HOST is also the setting ``host``: a server's variable changes no other command."""
    assert remote({"GGLIB_HOST": host}) is None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("box", "http://box:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("me:80", "http://me:80"),
        ("fe80::2", "http://[fe80::2]:8080"),
    ],
)
def test_another_host_or_a_port_or_a_scheme_is_a_server(host: str, url: str) -> None:
    """An address to listen on has neither port nor scheme."""
    assert remote({"GGLIB_HOST": host}) == Endpoint(url, None, is_remote=True)
    assert remote({"GGLIB_HOST": host}, listens=True) is None


def test_the_option_comes_before_the_variable() -> None:
    """Also for a command that listens, which then refuses."""
    found = remote({"GGLIB_HOST": "box"}, url="other", listens=True)
    assert found == Endpoint("http://other:8080", None, is_remote=True)


def test_the_key_comes_from_a_variable() -> None:
    """From the default one or the named one; never from the variable of the server's own keys."""
    environ = {"GGLIB_REMOTE_KEY": "default-key", "BOX": "box-key", "GGLIB_API_KEY": "own-key", "EMPTY": ""}
    for key_env, key in ((None, "default-key"), ("BOX", "box-key")):
        found = remote(environ, url="box", key_env=key_env)
        assert found is not None
        assert found.key == key
        assert key not in repr(found)
    assert remote({"GGLIB_API_KEY": "own-key"}, url="box") == Endpoint(
        "http://box:8080", None, is_remote=True
    )
    for key_env, words in (
        ("EMPTY", "--key-env must be the name"),
        ("SECRET-key", "not the key itself"),
        ("SPACED", "SPACED must be visible ASCII"),
    ):
        with pytest.raises(InvalidSettingError, match=words) as caught:
            remote({"EMPTY": "", "SPACED": "SECRET key"}, url="box", key_env=key_env)
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "key", "expected"),
    [
        ("http://box:8080", "SECRET", True),
        ("http://192.168.1.2", "SECRET", True),
        ("http://[fe80::1]:8080", "SECRET", True),
        ("http://box:8080", None, False),
        ("https://box", "SECRET", False),
        ("http://localhost:8080", "SECRET", False),
        ("http://127.0.0.1:8080", "SECRET", False),
        ("http://[::1]:8080", "SECRET", False),
    ],
)
def test_a_key_over_http_to_another_machine_is_warned_of(
    url: str,
    key: str | None,
    expected: bool,  # noqa: FBT001 - a row's value
) -> None:
    """The warning names the address and a remedy, and never the key."""
    warning = plaintext_key_warning(Endpoint(url, key, is_remote=True), {})
    assert (warning is not None) is expected
    if warning is not None:
        assert url in warning
        assert "https://" in warning
        assert "SECRET" not in warning


@pytest.mark.parametrize(
    ("url", "hosts", "expected"),
    [
        ("http://box:8080", "box", None),
        ("http://box:8080", "nas, BOX ,", None),
        ("http://[fe80::1]:8080", "fe80::1", None),
        ("http://[fe80::1]:8080", "[fe80::1]", None),
        ("http://box:8080", "", "GGLIB_PLAIN_HTTP_HOSTS=box."),
        ("http://box:8080", "nas,", "GGLIB_PLAIN_HTTP_HOSTS=nas,box."),
        ("http://box.example", "box", "GGLIB_PLAIN_HTTP_HOSTS=box,box.example."),
    ],
)
def test_trusted_hosts_are_not_warned_of(url: str, hosts: str, expected: str | None) -> None:
    """Each by its name; the warning of another one shows the variable as it would have to be set."""
    server = Endpoint(url, "SECRET", is_remote=True)
    warning = plaintext_key_warning(server, {"GGLIB_PLAIN_HTTP_HOSTS": hosts})
    assert (warning is None) is (expected is None)
    assert expected is None or (warning is not None and warning.endswith(f"set {expected}"))


def test_a_key_without_a_server_is_an_error() -> None:
    """It would be ignored, and the command would run on this machine."""
    with pytest.raises(InvalidSettingError, match="--key-env is for a remote server"):
        remote({"BOX": "box-key"}, key_env="BOX")


def test_own_addresses_can_be_bound() -> None:
    """Loopback is one; an address of the documentation range and an unknown name are none."""
    assert is_address_of_this_machine("127.0.0.1")
    assert not is_address_of_this_machine("192.0.2.1")
    assert not is_address_of_this_machine("box.invalid")


def test_certificates_without_tls_are_refused() -> None:
    """The user believes that the connection is encrypted; the variable is for other servers, too."""
    with pytest.raises(InvalidSettingError, match="--ca is for an https:// address: write https://box:8443"):
        find_remote("box:8443", None, {}, listens=False, ca_file="root.pem")
    found = find_remote("box:8443", None, {"GGLIB_CA": "root.pem"}, listens=False)
    assert found is not None
    secure = find_remote("https://box:8443", None, {}, listens=False, ca_file="root.pem")
    assert secure is not None
    assert secure.ca_file == "root.pem"
