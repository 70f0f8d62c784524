"""Loading a certificate: what is wrong with two files, one sentence each."""

import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.certificates import Authority, Issued, needs_openssl

from gglib.app.certificates.configured import configured_url
from gglib.app.certificates.facts import CertificateFiles
from gglib.app.certificates.loading import load_certificate, load_server_certificate, read_certificate
from gglib.app.settings import Settings
from gglib.core.errors import InvalidSettingError

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that issues certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Issued:
    """Return a certificate for box.lan and an address."""
    return authority.issue("box", names="DNS:box.lan,IP:192.168.1.5")


def refused(certificate: Path, key: Path, now_s: float | None = None) -> str:
    """Return the sentence about two files."""
    files = CertificateFiles(certificate=certificate, key=key)
    with pytest.raises(InvalidSettingError) as error:
        load_certificate(files, time.time() if now_s is None else now_s)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_certificate_with_its_chain(issued: Issued) -> None:
    """The facts are those of the first certificate of the file."""
    files = CertificateFiles(certificate=issued.certificate, key=issued.key)
    loaded = load_certificate(files, time.time())
    assert loaded.facts.names == ("box.lan", "192.168.1.5")
    assert loaded.facts.not_before_s < time.time() < loaded.facts.not_after_s
    assert loaded.facts.pem.count("BEGIN CERTIFICATE") == 1
    assert load_server_certificate(None, 0) is None


def test_both_may_be_in_one_file_behind_a_link(issued: Issued, tmp_path: Path) -> None:
    """As certbot links its files, and other programs write one."""
    both = tmp_path / "both.pem"
    both.write_text(f"Ünicode\n{issued.key.read_text()}{issued.certificate.read_text()}")
    (tmp_path / "link.pem").symlink_to(both)
    files = CertificateFiles(certificate=tmp_path / "link.pem", key=both)
    assert load_certificate(files, time.time()).facts.names == ("box.lan", "192.168.1.5")


def test_validity_is_judged_by_the_given_time(authority: Authority, issued: Issued) -> None:
    """A certificate that has expired can be read, but not loaded."""
    now_s = time.time()
    assert "is not valid before" in refused(issued.certificate, issued.key, now_s - 7200)
    assert "expired on" in refused(issued.certificate, issued.key, now_s + 61 * 24 * 3600)
    old = authority.issue("old", begins=timedelta(days=-9), ends=timedelta(days=-1))
    assert "expired on" in refused(old.certificate, old.key)
    files = CertificateFiles(certificate=old.certificate, key=old.key)
    assert read_certificate(files).facts.not_after_s < now_s


def test_files_that_cannot_be_read(issued: Issued, tmp_path: Path) -> None:
    """The sentence names the setting and the path."""
    missing = tmp_path / "missing.pem"
    assert refused(missing, issued.key) == (
        f"tls_cert is '{missing}', which does not exist: correct the path."
    )
    assert refused(issued.certificate, missing).startswith(f"tls_key is '{missing}', which does not exist")
    assert "not a regular file" in refused(tmp_path, issued.key)


def test_a_file_of_another_user(issued: Issued, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are often readable for one user only."""

    def deny(*_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("gglib.app.certificates.loading.read_small", deny)
    assert "which this user cannot read" in refused(issued.certificate, issued.key)


def test_files_that_are_swapped_or_empty(issued: Issued, tmp_path: Path) -> None:
    """Each setting says what its file lacks."""
    empty = tmp_path / "empty.pem"
    empty.touch()
    assert "has no certificate in PEM" in refused(issued.key, issued.certificate)
    assert "has no private key in PEM" in refused(issued.certificate, empty)


def test_the_key_of_another_certificate(authority: Authority, issued: Issued) -> None:
    """Both paths are named."""
    other = authority.issue("other")
    sentence = refused(issued.certificate, other.key)
    assert "does not belong to the certificate" in sentence
    assert str(issued.certificate) in sentence
    assert str(other.key) in sentence


def test_a_key_with_a_password(issued: Issued, tmp_path: Path) -> None:
    """Nothing prompts for it; the sentence has the command that removes it."""
    encrypted = tmp_path / "encrypted key.pem"
    password = ("-aes256", "-passout", "pass:secret")
    command = ["openssl", "pkey", "-in", str(issued.key), *password, "-out", str(encrypted)]
    subprocess.run(command, check=True, capture_output=True)
    sentence = refused(issued.certificate, encrypted)
    assert "needs a password" in sentence
    assert f"openssl pkey -in '{encrypted}' -out FILE" in sentence


def test_a_broken_certificate(issued: Issued, tmp_path: Path) -> None:
    """What OpenSSL says is part of the sentence."""
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "cannot be used by a server" in refused(broken, issued.key)


def test_the_url_of_configured_settings(issued: Issued, tmp_path: Path) -> None:
    """Relative paths are in the home."""
    for path, name in ((issued.certificate, "box.crt"), (issued.key, "box.key")):
        shutil.copy(path, tmp_path / name)
    settings = Settings(home=tmp_path, tls_cert=Path("box.crt"), tls_key=Path("box.key"), port=8443)
    assert configured_url(settings) == "https://box.lan:8443"
    assert configured_url(Settings(home=tmp_path, host="0.0.0.0")) == "http://127.0.0.1:8080"  # noqa: S104
