"""Tests of applying a profile to a body, and properties for any body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.profiles import Profile
from gglib.proxy.errors import BadRequestError
from gglib.proxy.profiles.apply import apply_profile

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"


def applied(body: str, path: str = CHAT, **fields: Any) -> str:
    """Return the body with a profile of ``fields``."""
    return apply_profile(body.encode(), Profile(name="p", **fields), path).decode()


class TestDefaults:
    def test_are_inserted_at_the_beginning(self) -> None:
        """All other bytes stay unchanged, white space and key order included."""
        assert (
            applied('{ "model" : "m",\n"x":1 }', defaults={"temperature": 0.5, "seed": 1})
            == '{"temperature":0.5,"seed":1, "model" : "m",\n"x":1 }'
        )

    @pytest.mark.parametrize("given", ["0", "1", '"a"', "false", "[]"])
    def test_do_not_replace_a_set_field(self, given: str) -> None:
        """Even a value that is falsy, or that the engine refuses, is the client's."""
        body = f'{{"model":"m","temperature":{given}}}'
        assert applied(body, defaults={"temperature": 0.5}) == body

    def test_replace_null(self) -> None:
        """``null`` sets nothing; of duplicates the last is replaced."""
        assert (
            applied('{"model":"m","seed":null,"seed":null}', defaults={"seed": 4})
            == '{"model":"m","seed":null,"seed":4}'
        )

    def test_a_duplicate_that_is_set_counts(self) -> None:
        """Duplicates are the client's, in any order."""
        body = '{"model":"m","seed":1,"seed":null}'
        assert applied(body, defaults={"seed": 4}) == body

    @pytest.mark.parametrize(
        "name", ["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"]
    )
    def test_respect_other_names_of_a_field(self, name: str) -> None:
        """A client sets the token limit by any of its names."""
        body = f'{{"model":"m","{name}":7}}'
        assert applied(body, defaults={"max_tokens": 9}) == body

    def test_escaped_keys_count(self) -> None:
        """A key means the same however it is written."""
        body = '{"model":"m","\\u0073eed":1}'
        assert applied(body, defaults={"seed": 4}) == body

    def test_have_the_names_of_the_dialect(self) -> None:
        """Anthropic's list of stop sequences, and the token limit of Responses."""
        assert json.loads(applied('{"model":"m"}', MESSAGES, defaults={"stop": "E"}))["stop_sequences"] == [
            "E"
        ]
        assert json.loads(applied('{"model":"m"}', MESSAGES, defaults={"stop": ["E"]}))["stop_sequences"] == [
            "E"
        ]
        assert json.loads(applied('{"model":"m"}', RESPONSES, defaults={"max_tokens": 3})) == {
            "max_output_tokens": 3,
            "model": "m",
        }


class TestStrip:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ('{"model":"m","x":1,"y":2}', '{"model":"m"}'),
            ('{"x":1,"y":2,"model":"m"}', '{"model":"m"}'),
            ('{ "x" : 1 , "model":"m" , "y" : [1] , "x" : {} }', '{  "model":"m"  }'),
            ('{"model":"m","z":0,"x":1,"x":2,"y":3}', '{"model":"m","z":0}'),
            ('{"model":"m"}', '{"model":"m"}'),
            ('{"model":"m","\\u0078":1}', '{"model":"m"}'),
        ],
    )
    def test_removes_members_with_one_comma_each(self, body: str, expected: str) -> None:
        """At the beginning, in the middle, at the end, and duplicates."""
        assert applied(body, strip=("x", "y")) == expected

    def test_with_a_default_replaces_the_value(self) -> None:
        """A stripped field with a default has the profile's value in every request."""
        fields: dict[str, Any] = {"strip": ("max_tokens",), "defaults": {"max_tokens": 9}}
        assert (
            applied('{"model":"m","max_tokens":1,"n_predict":2}', **fields) == '{"model":"m","max_tokens":9}'
        )
        assert applied('{"model":"m","max_completion_tokens":1}', **fields) == '{"max_tokens":9,"model":"m"}'

    def test_removes_template_kwargs_and_system(self) -> None:
        """The profile's own values then replace the client's."""
        assert (
            applied(
                '{"model":"m","chat_template_kwargs":{"a":1}}',
                strip=("chat_template_kwargs",),
                template_kwargs={"b": 2},
            )
            == '{"model":"m","chat_template_kwargs":{"b":2}}'
        )
        assert applied('{"model":"m","system":"c"}', MESSAGES, strip=("system",), system="p") == (
            '{"model":"m","system":"p"}'
        )


class TestTemplateKwargs:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("null", '{"a":1,"b":2}'),
            ("{}", '{"a":1,"b":2}'),
            ("{ }", '{"a":1,"b":2 }'),
            ('{"a":0}', '{"b":2,"a":0}'),
            ('{"a":null,"c":3}', '{"b":2,"a":1,"c":3}'),
            ('{"b":[],"a":0}', '{"b":[],"a":0}'),
            ("3", "3"),
        ],
    )
    def test_are_filled_in_member_by_member(self, given: str, expected: str) -> None:
        """Members that the client sets stay."""
        assert (
            applied(f'{{"model":"m","chat_template_kwargs":{given}}}', template_kwargs={"a": 1, "b": 2})
            == f'{{"model":"m","chat_template_kwargs":{expected}}}'
        )

    def test_are_set_where_a_template_is_applied(self) -> None:
        """Not for completions of a raw text."""
        assert "chat_template_kwargs" in applied('{"model":"m"}', RESPONSES, template_kwargs={"a": 1})
        assert applied('{"model":"m"}', "/v1/completions", template_kwargs={"a": 1}) == '{"model":"m"}'


class TestSystem:
    SYSTEM = '{"role":"system","content":"P"}'

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("[]", f"[{SYSTEM}]"),
            ("[ ]", f"[{SYSTEM} ]"),
            ('[{"role":"user","content":"a"}]', f'[{SYSTEM},{{"role":"user","content":"a"}}]'),
            ('[{"role":"user","content":"system"}]', f'[{SYSTEM},{{"role":"user","content":"system"}}]'),
            ('[ {"a":{"role":"system"}} , 1 ]', f'[{SYSTEM}, {{"a":{{"role":"system"}}}} , 1 ]'),
        ],
    )
    def test_becomes_the_first_message(self, given: str, expected: str) -> None:
        """Only the roles of messages count, not their content."""
        assert applied(f'{{"model":"m","messages":{given}}}', system="P") == (
            f'{{"model":"m","messages":{expected}}}'
        )

    @pytest.mark.parametrize(
        "messages",
        [
            '[{"role":"system","content":""}]',
            '[{"role":"user"},{"role":"developer","content":"x"}]',
            '[{"role":"\\u0073ystem"}]',
            '[{"role":"\\u0064eve\\u006Coper"}]',
            '[{"\\u0072ole" : "system"}]',
            "null",
            '"text"',
        ],
    )
    def test_is_not_added_to_a_client_prompt(self, messages: str) -> None:
        """Nor to messages that are no array, which the engine refuses."""
        body = f'{{"model":"m","messages":{messages}}}'
        assert applied(body, system="P") == body

    @pytest.mark.parametrize("offset", [0, 1, 40, 63, 64, 65])
    def test_finds_a_client_prompt_in_a_long_body(self, offset: int) -> None:
        """Also across the limit of a searched part."""
        text = "x" * (256 * 1024 - 100 + offset)
        for role in ("system", "assistant"):
            body = f'{{"model":"m","messages":[{{"role":"user","content":"{text}"}},{{"role":"{role}"}}]}}'
            assert (applied(body, system="P") == body) == (role == "system")

    @pytest.mark.parametrize(("path", "name"), [(MESSAGES, "system"), (RESPONSES, "instructions")])
    def test_is_a_field_in_other_dialects(self, path: str, name: str) -> None:
        """Anthropic's ``system``, and ``instructions`` of Responses."""
        assert applied('{"model":"m"}', path, system="P") == f'{{"{name}":"P","model":"m"}}'
        body = f'{{"model":"m","{name}":""}}'
        assert applied(body, path, system="P") == body

    def test_is_not_added_beside_a_developer_message_of_responses(self) -> None:
        """Responses take system messages in ``input``, too."""
        body = '{"model":"m","input":[{"role":"developer","content":"x"}]}'
        assert applied(body, RESPONSES, system="P") == body
        assert "instructions" in applied('{"model":"m","input":"text"}', RESPONSES, system="P")

    @pytest.mark.parametrize("path", ["/v1/completions", "/v1/embeddings", "/v1/rerank"])
    def test_has_no_place_in_other_paths(self, path: str) -> None:
        """There are no messages."""
        assert applied('{"model":"m"}', path, system="P") == '{"model":"m"}'


def test_refuses_a_body_that_is_not_json() -> None:
    """The error is the client's."""
    with pytest.raises(BadRequestError, match="not valid JSON"):
        applied('{"model":"m"', system="P")


NAMES = (
    "temperature",
    "seed",
    "stop",
    "max_tokens",
    "n_predict",
    "other",
    "chat_template_kwargs",
    "messages",
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=4)
    | st.sampled_from(["system", "developer"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("role", "a", "b", "content")), inner, max_size=3)
    ),
    max_leaves=8,
)
MESSAGE_LISTS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "system", "developer", "assistant"])}), max_size=3
)
MEMBERS = st.lists(
    st.tuples(st.sampled_from(NAMES), VALUES | MESSAGE_LISTS) | st.tuples(st.text(max_size=3), VALUES),
    max_size=6,
)
SPACES = st.text(" \t\n\r", max_size=2)
PROFILES = st.builds(
    Profile,
    name=st.just("p"),
    system=st.none() | st.text(min_size=1, max_size=5),
    defaults=st.dictionaries(
        st.sampled_from(("temperature", "seed", "stop", "max_tokens", "n_predict", "other")),
        st.integers(0, 9) | st.text(max_size=3),
        max_size=4,
    ),
    template_kwargs=st.dictionaries(st.sampled_from(("a", "b")), st.integers(), max_size=2),
    strip=st.lists(st.sampled_from(("temperature", "seed", "max_tokens", "other", "gone")), max_size=3).map(
        tuple
    ),
)
PATHS = st.sampled_from((CHAT, MESSAGES, RESPONSES, "/v1/completions", "/v1/embeddings"))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Return a body with members in any order, duplicates, white space and escaped keys."""
    members = [*draw(MEMBERS), ("model", "m")]
    members = draw(st.permutations(members))

    def written(name: str, value: object) -> str:
        key = json.dumps(name)
        if draw(st.booleans()) and name.isascii() and name.isalpha():
            key = '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"'
        return f"{draw(SPACES)}{key}{draw(SPACES)}:{draw(SPACES)}{json.dumps(value)}{draw(SPACES)}"

    return ("{" + ",".join(written(*member) for member in members) + "}").encode()


def members_of(body: bytes) -> list[tuple[str, Any]]:
    """Return the members of the root, including duplicates."""
    pairs: list[tuple[str, Any]] = json.loads(body, object_pairs_hook=lambda found: found)
    return [(name, repr(value)) for name, value in pairs]


@given(bodies(), PROFILES, PATHS)
def test_any_result_is_json_that_keeps_what_the_client_set(body: bytes, profile: Profile, path: str) -> None:
    """Members that are set stay in their order, unless they are stripped or filled in."""
    result = apply_profile(body, profile, path)
    json.loads(result)
    synonyms = {"max_tokens": {"max_tokens", "n_predict"}}
    stripped = set().union(*(synonyms.get(name, {name}) for name in profile.strip), ())
    changed = {"messages", "chat_template_kwargs"}
    before = [m for m in members_of(body) if m[0] not in stripped | changed and m[1] != "None"]
    after = iter(m for m in members_of(result) if m[0] not in stripped | changed and m[1] != "None")
    assert all(member in after for member in before)  # a subsequence
    for name in stripped - set(profile.defaults):
        assert name not in dict(members_of(result))


@given(bodies(), PROFILES, PATHS)
def test_applying_twice_changes_nothing_more(body: bytes, profile: Profile, path: str) -> None:
    """A profile is idempotent, up to the order of members that it sets itself."""
    once = apply_profile(body, profile, path)
    assert sorted(members_of(apply_profile(once, profile, path))) == sorted(members_of(once))


@given(bodies(), PATHS)
def test_an_empty_profile_changes_nothing(body: bytes, path: str) -> None:
    """The bytes are those of the client."""
    assert apply_profile(body, Profile(name="p"), path) == body
