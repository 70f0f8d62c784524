"""Requests for names that an alias pattern matches, and for names that mean the model in memory, over real sockets."""

import json

import pytest

from gglib.core.api_keys import ApiKey
from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.core.errors import ModelLoadFailedError
from gglib.core.models import ModelSummary, RunningTarget
from gglib.core.profiles import Profile
from gglib.proxy import LiveOptions, ProxyOptions
from gglib.testing import FakeCatalog, FakeLibrary, FakeRuntime

from .support import CHAT, Exchange, Proxy, Reply, ask, engine_running, json_answer, proxy_running
from .test_proxy_model_choice import ALL, EMBED, A, B, admitted, post, serving

PATTERNS = ProxyOptions(aliases={"gpt-*": ("gone", "b", "a"), "text-embedding-*": ("embed",), "fast": ("a",)})
CLAUDE = "claude-opus-4-8"
MESSAGES = "/v1/messages"


def body(model: str, **fields: object) -> bytes:
    """Return a body for a model."""
    return json.dumps({"model": model, "messages": [], **fields}).encode()


async def shown_id(proxy: Proxy, name: str) -> str:
    """Return the id of the object of a name, and check that it is whole."""
    reply = await ask(proxy.port, "GET", f"/v1/models/{name}")
    assert (reply.status, reply.json()["object"]) == (200, "model")
    shown: str = reply.json()["id"]
    return shown


class TestPatterns:
    async def test_a_model_of_the_pattern_serves_and_the_body_stays_as_it_is(self) -> None:
        """The log and the metrics have the model's name: requested names are unlimited."""
        async with serving(*ALL, options=PATTERNS) as (proxy, runtime):
            reply = await post(proxy, body("GPT-4o"))
            await shown_id(proxy, "gpt-5")
            metrics = (await ask(proxy.port, "GET", "/metrics")).body.decode()
        assert (reply.status, reply.json()) == (200, {"received": body("GPT-4o").decode()})
        assert admitted(runtime) == ["b"]
        assert 'model="b"' in metrics
        assert "gpt-" not in metrics.lower()

    async def test_the_next_model_serves_if_the_first_cannot_run(self) -> None:
        """As for a list."""
        async with serving(*ALL, options=PATTERNS) as (proxy, runtime):
            runtime.failures["b"] = ModelLoadFailedError("b", "reason")
            assert (await post(proxy, body("gpt-4o", stream=True))).status == 200
        assert admitted(runtime) == ["b", "a"]

    async def test_models_of_another_kind_are_refused(self) -> None:
        """The error names the pattern."""
        async with serving(*ALL, options=PATTERNS) as (proxy, runtime):
            refused = await post(proxy, body("gpt-4o"), "/v1/embeddings")
            embedded = await post(proxy, body("text-embedding-3-small"), "/v1/embeddings")
        assert (refused.status, refused.error["code"]) == (400, "unsupported_by_model")
        assert refused.error["message"] == (
            "No model of the alias pattern 'gpt-*' is served for embeddings: it has b, a. "
            "Use another model, such as embed."
        )
        assert (embedded.status, admitted(runtime)) == (200, ["embed"])

    async def test_a_name_has_an_object_under_its_id_and_patterns_are_not_listed(self) -> None:
        """A client that checks its model name finds it; in a list it would be no name to request."""
        async with serving(*ALL, options=PATTERNS) as (proxy, _):
            listed = (await ask(proxy.port, "GET", "/v1/models")).json()["data"]
            shown = await ask(proxy.port, "GET", "/v1/models/gpt-4o")
            unknown = await ask(proxy.port, "GET", "/v1/models/other")
        assert [model["id"] for model in listed] == ["a", "b", "embed", "rank", "fast"]
        assert (shown.json()["id"], shown.json()["name"]) == ("gpt-4o", "gpt-4o")
        assert shown.json()["description"] == "The first that can run of: b, a."
        assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")

    async def test_the_admin_api_takes_such_names(self) -> None:
        """Load and unload as for a list, show the first model; a change needs one model."""
        async with serving(*ALL, options=PATTERNS) as (proxy, runtime):
            runtime.failures["b"] = ModelLoadFailedError("b", "reason")
            loaded = await ask(proxy.port, "POST", "/gglib/models/gpt-4/load", body=b"")
            unloaded = await ask(proxy.port, "POST", "/gglib/models/gpt-4/unload", body=b"")
            shown = await ask(proxy.port, "GET", "/gglib/models/gpt-4")
        assert (loaded.json()["model_name"], unloaded.json()) == ("a", {"stopped": ["a"], "node": None})
        assert shown.json()["name"] == "b"
        catalog = FakeCatalog(ALL)
        library = FakeLibrary(catalog)
        async with proxy_running(FakeRuntime(), catalog, options=PATTERNS, library=library) as proxy:
            refused = await ask(proxy.port, "POST", "/gglib/models/gpt-4/pin", body=b"")
        assert refused.error["message"] == "'gpt-4' matches the alias 'gpt-*': use one of its models, b, a."

    async def test_the_default_model_may_be_such_a_name(self) -> None:
        """It resolves like the name of a request."""
        options = ProxyOptions(aliases=PATTERNS.aliases, default_model="gpt-4")
        async with serving(*ALL, options=options) as (proxy, runtime):
            assert (await post(proxy, b"{}")).status == 200
        assert admitted(runtime) == ["b"]

    async def test_patterns_are_replaced_while_serving(self) -> None:
        """The next request uses the new ones."""
        catalog, runtime = FakeCatalog(ALL), FakeRuntime()
        live = LiveOptions(ProxyOptions())
        async with proxy_running(runtime, catalog, options=live) as proxy:
            assert (await ask(proxy.port, "GET", "/v1/models/gpt-4")).status == 404
            live.replace(PATTERNS)
            assert await shown_id(proxy, "gpt-4") == "gpt-4"

    async def test_a_key_reaches_its_own_models_only(self) -> None:
        """A pattern of hidden models is as unknown as any name; hidden members are passed over."""
        options = ProxyOptions(
            aliases={"gpt-*": ("b", "a"), "secret-*": ("b",), "claude-*": ("b",)},
            api_keys={"alice": ApiKey(key="alice-key", models=("a",))},
        )
        authorization = (("Authorization", "Bearer alice-key"),)
        async with serving(A, B, options=options) as (proxy, runtime):

            async def request(name: str) -> Reply:
                return await ask(proxy.port, body=body(name), headers=authorization)

            served = await request("gpt-4")
            refused = {name: await request(name) for name in ("secret-4", "b", CLAUDE)}
            refused["secret-5"] = await ask(proxy.port, "GET", "/v1/models/secret-5", headers=authorization)
        assert (served.status, admitted(runtime)) == (200, ["a"])
        for name, reply in refused.items():
            assert (reply.status, reply.error["code"]) == (404, "model_not_found")
            assert (
                reply.error["message"]
                == f"Model '{name}' is not among the models that this API key may use: a."
            )


class TestTheModelInMemory:
    @pytest.mark.parametrize("path", [MESSAGES, f"{MESSAGES}?beta=true", f"{MESSAGES}/count_tokens", CHAT])
    async def test_requests_for_claude_cause_no_swap(self, path: str) -> None:
        """Whatever the default model is: Claude Code's background requests name models that do not exist."""
        async with serving(*ALL, options=ProxyOptions(default_model="a")) as (proxy, runtime):
            await post(proxy, body("b"))
            replies = [
                await post(proxy, body(name), path)
                for name in (CLAUDE, "claude-haiku-4-5-20251001", "Claude-X", "claude-x:latest")
            ]
        assert [reply.status for reply in replies] == [200] * 4
        assert replies[0].json() == {"received": body(CLAUDE).decode()}
        assert set(admitted(runtime)) == {"b"}

    async def test_without_a_model_in_memory_the_default_serves(self) -> None:
        """The configured one, with its profile or of an alias list, or the only one; then it is in memory."""
        for options, models, served in (
            (ProxyOptions(default_model="b"), ALL, "b"),
            (ProxyOptions(default_model="best", aliases={"best": ("rank", "b")}), ALL, "b"),
            (ProxyOptions(), (A, EMBED), "a"),
        ):
            async with serving(*models, options=options) as (proxy, runtime):
                assert (await post(proxy, body(CLAUDE), MESSAGES)).status == 200
                assert (await post(proxy, body("claude-other"), MESSAGES)).status == 200
            assert admitted(runtime) == [served, served]

    async def test_the_default_keeps_its_profile(self) -> None:
        """As for requests that name no model."""

        async def echo(exchange: Exchange) -> None:
            await exchange.write(json_answer({"received": exchange.body.decode()}))

        catalog, options = FakeCatalog(ALL), ProxyOptions(default_model="b:cold")
        await catalog.edit_profile("cold", None, lambda _: Profile(name="cold", defaults={"temperature": 0}))
        async with engine_running(echo) as engine:
            runtime = FakeRuntime({"b": RunningTarget.local(engine.port, 2, "b", 512)})
            async with proxy_running(runtime, catalog, options=options, profiles=catalog) as proxy:
                shown = await ask(proxy.port, "GET", f"/v1/models/{CLAUDE}")
                served = await post(proxy, body(CLAUDE), MESSAGES)
        assert (shown.json()["id"], shown.json()["description"]) == (CLAUDE, "The first that can run of: b.")
        assert json.loads(served.json()["received"])["temperature"] == 0

    async def test_a_model_of_another_kind_is_not_used(self) -> None:
        """An embedder in memory cannot chat."""
        async with serving(A, EMBED) as (proxy, runtime):
            await post(proxy, body("embed"), "/v1/embeddings")
            assert (await post(proxy, body(CLAUDE), MESSAGES)).status == 200
            assert (await post(proxy, body(CLAUDE), "/v1/embeddings")).status == 200
        assert admitted(runtime) == ["embed", "a", "embed"]

    async def test_without_any_choice_the_error_says_how_to_make_one(self) -> None:
        """In Anthropic's form on its path; nothing is loaded."""
        async with serving(A, B) as (proxy, runtime):
            reply = await post(proxy, body(CLAUDE), MESSAGES)
        assert reply.status == 404
        assert reply.json()["error"]["message"] == (
            f"Model '{CLAUDE}' is not in the catalogue, and no model in memory or default can serve it: load one of "
            f"a, b, set 'default_model', or run \"gglib alias '{IN_MEMORY_ALIAS}' MODEL\"."
        )
        assert runtime.admitted == []

    async def test_an_empty_catalogue_says_how_to_add_a_model(self) -> None:
        """As for any other name."""
        async with serving() as (proxy, _):
            assert "'gglib pull " in (await post(proxy, body(CLAUDE))).error["message"]

    @pytest.mark.parametrize(
        ("aliases", "served"),
        [
            ({"claude-*": ("a",)}, "a"),
            ({"claude-opus*": ("a",)}, "a"),
            ({CLAUDE: ("a",)}, "a"),
            ({"*": ("a",)}, "a"),
            ({"claude-haiku*": ("a",)}, "b"),
        ],
    )
    async def test_an_alias_overrides_the_rule(
        self, aliases: dict[str, tuple[str, ...]], served: str
    ) -> None:
        """Then the request may cause a swap: the user has chosen the model."""
        async with serving(A, B, options=ProxyOptions(aliases=aliases)) as (proxy, runtime):
            await post(proxy, body("b"))
            await post(proxy, body(CLAUDE), MESSAGES)
        assert admitted(runtime) == ["b", served]

    async def test_an_alias_of_a_missing_model_is_an_error(self) -> None:
        """The rule does not hide it."""
        async with serving(A, options=ProxyOptions(aliases={"claude-*": ("gone",)})) as (proxy, _):
            assert (await post(proxy, body(CLAUDE))).error["code"] == "model_not_found"

    async def test_a_model_of_that_name_is_itself(self) -> None:
        """Names of the catalogue come first, as always."""
        own = ModelSummary(id=1, name="a", aliases=(CLAUDE,))
        async with serving(own, B) as (proxy, runtime):
            await post(proxy, body("b"))
            await post(proxy, body(CLAUDE))
        assert admitted(runtime) == ["b", "a"]

    async def test_a_key_gets_only_its_own_models(self) -> None:
        """A model in memory that the key may not use is as if it were not there."""
        keys = {
            "root": ApiKey.admin("root-key-1"),
            "alice": ApiKey(key="alice-key", models=("a",)),
            "bob": ApiKey(key="bobs-key-1", models=("none*",)),
        }
        async with serving(A, B, options=ProxyOptions(api_keys=keys)) as (proxy, runtime):

            async def request(name: str, key: str) -> Reply:
                return await ask(proxy.port, body=body(name), headers=(("x-api-key", key),))

            assert (await request("b", "root-key-1")).status == 200
            assert (await request(CLAUDE, "alice-key")).status == 200
            refused = await request(CLAUDE, "bobs-key-1")
        assert admitted(runtime) == ["b", "a"]
        assert (refused.status, refused.error["code"]) == (404, "model_not_found")
        assert "'b'" not in refused.error["message"]

    async def test_the_name_has_an_object_and_is_not_listed(self) -> None:
        """Anthropic's clients may look their model up; commands for models do not take the name."""
        async with serving(A, B) as (proxy, runtime):
            assert (await ask(proxy.port, "GET", f"/v1/models/{CLAUDE}")).status == 404
            await post(proxy, body("b"))
            assert await shown_id(proxy, CLAUDE) == CLAUDE
            listed = (await ask(proxy.port, "GET", "/v1/models")).json()["data"]
            load = await ask(proxy.port, "POST", f"/gglib/models/{CLAUDE}/load", body=b"")
            unload = await ask(proxy.port, "POST", f"/gglib/models/{CLAUDE}/unload", body=b"")
        assert [model["id"] for model in listed] == ["a", "b"]
        assert [load.status, unload.status] == [404, 404]
        assert admitted(runtime) == ["b"]
