import assert from "node:assert/strict";
import { test } from "node:test";

import { apiTitle, baseUrls, groupsOf, isAddress, isLoopback, variableCommand, withKey } from "../../../src/gglib/proxy/web/page/pages/connect/texts.js";

const client = (values) => ({ name: "aider", title: "Aider", kind: "program", speaks: ["openai"], how: "environment", ...values });
const KEY = { name: "alice", variable: "GGLIB_API_KEY", placeholder: "KEY_OF_alice" };

test("base URLs have the path that an API expects", () => {
  const urls = { OpenAI: "http://pc:8080/v1", Anthropic: "http://pc:8080", Ollama: "http://pc:8080" };
  for (const url of ["http://pc:8080", "http://pc:8080/"]) {
    assert.deepEqual(Object.fromEntries(baseUrls(url).map((base) => [base.api, base.url])), urls);
  }
});

test("an address is a URL without a path", () => {
  for (const text of ["http://pc", "https://10.0.0.2:8080", "http://[::1]:8080/", "http://my-pc.local:80"]) assert.ok(isAddress(text), text);
  for (const text of ["pc:8080", "http://pc/v1", "ftp://pc", "", "http://a b", "http://pc:123456"]) assert.ok(!isAddress(text), text);
});

test("loopback addresses are known", () => {
  for (const url of ["http://localhost:8080", "http://127.0.0.1", "http://127.0.1.1:80/", "http://[::1]:8080"]) assert.ok(isLoopback(url), url);
  for (const url of ["http://192.168.1.2:8080", "https://localhost.example", "http://127.example"]) assert.ok(!isLoopback(url), url);
});

test("clients are grouped by kind, in order, and found by all words of a search", () => {
  const clients = [
    client({}),
    client({ name: "zed", title: "Zed", kind: "application" }),
    client({ name: "anthropic-python", title: "Anthropic SDK", kind: "library", speaks: ["anthropic"], how: "code" }),
  ];
  const found = (search) => groupsOf(clients, search).map((group) => group.clients.map(({ name }) => name));
  assert.deepEqual(found(""), [["aider"], ["zed"], ["anthropic-python"]]);
  assert.deepEqual(found(" ANTHROPIC code "), [["anthropic-python"]]);
  assert.deepEqual(found("openai"), [["aider"], ["zed"]]);
  assert.deepEqual(found("nothing"), []);
});

test("APIs have titles, also unknown ones", () => {
  assert.deepEqual(["responses", "new"].map(apiTitle), ["OpenAI Responses", "new"]);
});

test("a key takes the place of its placeholder only if it is given", () => {
  const text = "Key: KEY_OF_alice\nAgain: KEY_OF_alice";
  assert.equal(withKey(text, KEY, null), text);
  assert.equal(withKey(text, KEY, "gg-$&1"), "Key: gg-$&1\nAgain: gg-$&1");
  assert.equal(withKey("Key: gglib", null, "gg-1"), "Key: gglib");
});

test("the variable is set where the settings use it", () => {
  assert.equal(variableCommand(["url", null, '"$GGLIB_API_KEY"'], KEY), "export GGLIB_API_KEY='KEY_OF_alice'");
  assert.equal(variableCommand(["Key: KEY_OF_alice", null], KEY), null);
  assert.equal(variableCommand(["$GGLIB_API_KEY"], null), null);
});
