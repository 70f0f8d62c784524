"""Secrets in texts."""

import json

import pytest

from gglib.core.history.secrets import SecretRemover

R = "A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6"
"""Looks generated."""
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{R}\n{R}==\n-----END RSA PRIVATE KEY-----"
KNOWN = [
    f"sk-{R}",
    f"sk-proj-{R}_{R}-x",
    f"sk-ant-api03-{R}",
    f"sk_live_{R}",
    f"hf_{R}",
    f"ghp_{R}",
    f"gho_{R}",
    f"github_pat_11{R}_{R}",
    f"glpat-{R}",
    f"xoxb-123456789012-{R}",
    f"xoxp-1234-{R}",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    f"AIza{R}abc",
    f"ya29.{R}",
    f"npm_{R}",
    f"gsk_{R}",
    f"SG.{R[:22]}.{R}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{R}",
    f"eyJhbGciOiJkaXIifQ..{R}.{R}.{R}",
    f"AGE-SECRET-KEY-1{R.upper()}",
    PEM,
]
IN_CONTEXT = [
    ("Authorization: Bearer {}", "abc.DEF-123"),
    ("authorization: bearer {}", R.lower()),
    ('"Authorization": "Basic {}"', "dXNlcjpwYXNz"),
    ('{{"headers": {{"authorization": "{}"}}}}', R),
    ("curl -H 'Authorization: token {}'", R),
    ("with Bearer {} in it", R),
    ("postgres://me:{}@db.example.com/x", "pw-1$%"),
    ("redis://:{}@h:6379", "hunter2"),
    ("password={} next", "hunter2"),
    ("PASSWORD: {}", "correct-horse"),
    ('"db_password": "{}"', "hunter2x"),
    ("mysql -pwd '{}'".replace(" '", "='"), "hunter2x"),
    ("api_key={}&x=1", R),
    ('"api_key": "{}"', R),
    ('{{\\"api_key\\": \\"{}\\"}}', R),
    ("export MY_API_KEY='{}'", R),
    ("aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AccountKey={};Endpoint", R + "=="),
    ("client-secret: {}", R),
    ("X-Api-Key: {}", R),
    ("token => {}", R),
    ("https://h/x?access_token={}", R),
]
AROUND = [
    "{}",
    "The key is {}.",
    "x={},",
    "task{}",
    '{{"content": "a\\n{}\\tb"}}',
    "\\\\n{}",
    "[{}]",
    "`{}`",
    "key%3D{}",
    "\u00e9{}\u00e9",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("secret", KNOWN, ids=lambda secret: secret[:12])
def test_known_forms_are_removed_wherever_they_are(secret: str, around: str) -> None:
    """Also directly after other characters, and after an escape of JSON."""
    cleaned = SecretRemover().clean(around.format(secret))
    assert secret not in cleaned
    assert secret[-16:] not in cleaned
    assert "[redacted: " in cleaned


@pytest.mark.parametrize(("context", "secret"), IN_CONTEXT)
def test_values_are_removed_because_of_their_names(context: str, secret: str) -> None:
    """Nothing else of the text is lost, except the end of a line."""
    text = context.format(secret)
    cleaned = SecretRemover().clean(text)
    assert secret not in cleaned
    before, _, after = text.partition(secret)
    assert cleaned.startswith(before)
    assert cleaned.endswith(after)
    assert SecretRemover().clean(cleaned) == cleaned


def test_escapes_that_json_needs_stay() -> None:
    """The text is still valid."""
    text = f'{{"a": "\\u0022 \\u005c \\u000a \\u0041 \\\\\\u0042", "key": "sk-{R}"}}'
    cleaned = json.loads(SecretRemover().clean(text))
    assert cleaned == {"a": '" \\ \n A \\B', "key": "[redacted: API key]"}


@pytest.mark.parametrize("secret", KNOWN, ids=lambda secret: secret[:12])
def test_escapes_of_json_do_not_hide_a_secret(secret: str) -> None:
    """Every character escaped, one of them, slashes, and JSON in JSON."""
    escaped = "".join(f"\\u{ord(character):04X}" for character in secret)
    one = secret[:2] + f"\\u{ord(secret[2]):04x}" + secret[3:].replace("\n", "\\n").replace("/", "\\/")
    nested = json.dumps({"arguments": json.dumps({"x": secret})})
    for text in (
        f'{{"a": "{escaped}"}}',
        f'{{"a": "{one}"}}',
        nested,
        nested.replace("b2", "\\\\u0062\\u0032"),
    ):
        cleaned = SecretRemover().clean(text)
        assert json.loads(cleaned)
        assert secret[-16:] not in str(json.loads(cleaned))
        assert "[redacted: " in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox; a task-force, risk-management and a desk-lamp.",
        '{"max_tokens": 100, "usage": {"prompt_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 1}}}',
        'Tokens are counted: "token": "Hello", token=12, the secret is patience',
        "Bearer authentication is described in RFC 6750; authorization: optional",
        "password: ***",
        "https://example.com:8080/path?x=1 and mailto:me@example.com",
        "git@github.com:owner/name.git",
        "eyJ is how a header begins. hf_ is a prefix, sk- too, AKIA as well.",
        '{"predicted_per_token_ms": 0.10099999999999999, "per_token": -1.2345678901e-05}, token: 12.345678901234',
        "2026-11-28T10:30:00 0123456789abcdef0123456789abcdef",
        '{"a": "caf\\u00e9 \\u0041 \\\\u0041 \\/ \\"q\\""}',
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    """Also its escapes."""
    assert SecretRemover().clean(text) == text


@pytest.mark.parametrize("key", ["short-key", 'we"ird\\key/12', "plain" + R])
def test_keys_of_the_server_are_removed_in_any_spelling(key: str) -> None:
    """As text, in JSON, in JSON in JSON, and with escapes that are not needed."""
    remover = SecretRemover((key, "another-key"))
    once = json.dumps({"content": f"use {key} now"})
    spellings = [key, once, json.dumps({"arguments": once}), json.dumps({"a": json.dumps({"b": once})})]
    spellings.append(json.dumps(key).replace("/", "\\/").replace("key", "\\u006bey"))
    for text in spellings:
        cleaned = remover.clean(text)
        assert "[redacted: access key of this server]" in cleaned
        assert key not in cleaned
        assert "12" not in cleaned if key.startswith("we") else True
    assert SecretRemover().clean("short-key") == "short-key"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PEM + " rest", "[K] rest"),
        (PEM + "\nand\n" + PEM, "[K]\nand\n[K]"),
        (f"a -----BEGIN PRIVATE KEY-----\n{R}\n{R}", "a [K]"),
        (f'"-----BEGIN PRIVATE KEY-----\\n{R}\\n", "b"', '"[K]", "b"'),
        (f"x {R}\\n{R}==\\n-----END PRIVATE KEY----- b", "x [K] b"),
        ("-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----", None),
        ("a PRIVATE KEY is private", None),
        (f"-----BEGIN PRIVATE KEY-----{R}! -----BEGIN EC PRIVATE KEY-----{R}!", "[K]! [K]!"),
    ],
)
def test_private_keys_are_removed_also_in_part(text: str, expected: str | None) -> None:
    """A body may be cut in the middle of one."""
    cleaned = SecretRemover().clean(text).replace("[redacted: private key]", "[K]")
    assert cleaned == (text if expected is None else expected)


UNITS = [
    "sk-",
    "eyJ",
    "a.eyJ",
    "password",
    "password=",
    "tokentoken",
    "token: a",
    "secret        :",
    "://a:",
    "://",
    "authorization: basic ",
    "bearer a",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "PRIVATE KEY",
    "\\",
    "\\\\u0041",
    "\\/",
    "AKIA",
    "SG.aaaaaaaaaaaaaaaa.",
    "pwd\\\\\\\\",
    "api_key",
    "auth-key",
    "a:a@",
    "github_pat_",
]


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_takes_more_than_linear_time(unit: str) -> None:
    """A quadratic pattern would need hours for one of these texts."""
    text = unit * (256 * 1024 // len(unit))
    cleaned = SecretRemover().clean(f"{text} sk-{R}")
    assert R not in cleaned
