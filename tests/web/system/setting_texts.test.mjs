import assert from "node:assert/strict";
import { test } from "node:test";

import { changeCommand, changeNote, foundSettings, limitsOf, reloadText, sourceText } from "../../../src/gglib/proxy/web/page/pages/system/texts.js";

const setting = (values) => ({ setting: "port", value: 8080, shown: "8080", source: "default", overrides: [], is_live: false, help: "Port to listen on.", ...values });

test("settings are found by all words, in names, values, sources and help", () => {
  const settings = [setting({}), setting({ setting: "ctx", shown: "8192", source: "GGLIB_CTX", help: "Context size." })];
  const found = (search, isSetOnly = false) => foundSettings(settings, search, isSetOnly).map((value) => value.setting);
  assert.deepEqual(found(""), ["port", "ctx"]);
  assert.deepEqual(found("", true), ["ctx"]);
  assert.deepEqual(found("LISTEN port"), ["port"]);
  assert.deepEqual(found("gglib_ctx 8192"), ["ctx"]);
  assert.deepEqual(found("port 8192"), []);
});

test("the command that changes a setting; keys are made, not set", () => {
  assert.equal(changeCommand(setting({})), "gglib config set port VALUE");
  assert.equal(changeCommand(setting({ setting: "api_keys" })), "gglib key new NAME");
});

test("when a change takes effect", () => {
  assert.equal(changeNote(setting({})), "Applied by a restart");
  assert.equal(changeNote(setting({ is_live: true, source: "config.toml" })), "Applied by a reload");
  assert.equal(changeNote(setting({ is_live: true, source: "--port" })), "--port has precedence over config.toml");
});

test("sources that are not used are named", () => {
  assert.equal(sourceText(setting({})), "default");
  assert.equal(sourceText(setting({ source: "--port", overrides: ["GGLIB_PORT", "config.toml"] })), "--port, not GGLIB_PORT, config.toml");
});

test("what a reload did", () => {
  const text = (values) => reloadText({ settings: [], replaced_models: [], warnings: [], ...values });
  const change = (applied) => ({ setting: "ctx", old: "1", new: "2", applied });
  assert.equal(text({}), "Nothing has changed since the last reload.");
  assert.equal(text({ settings: [change(true), change(false), change(true)] }), "Changes: 2 applied, 1 at the next start of the server.");
  assert.equal(text({ replaced_models: ["a", "b"] }), "Unloaded after their requests: a, b.");
  assert.equal(text({ settings: [change(true)], replaced_models: ["a"] }), "Changes: 1 applied. Unloaded after their requests: a.");
});

test("limits of a key, and what is used of them", () => {
  const key = (values) => ({ name: "alice", rpm: null, tpm: null, parallel: null, use: null, ...values });
  assert.deepEqual(limitsOf(key({})), []);
  const use = { requests: 3, tokens: 100, reserved_tokens: 50, running: 1 };
  assert.deepEqual(limitsOf(key({ rpm: 10, tpm: 1000, parallel: 2, use })), [
    { name: "requests per minute", limit: 10, used: 3 },
    { name: "tokens per minute", limit: 1000, used: 150 },
    { name: "requests at once", limit: 2, used: 1 },
  ]);
  assert.deepEqual(limitsOf(key({ rpm: 10 })), [{ name: "requests per minute", limit: 10, used: null }]);
});
