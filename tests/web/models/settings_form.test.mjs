import assert from "node:assert/strict";
import { test } from "node:test";

import {
  changesOf, namesIn, rebased, secondsIn, secondsText, settingsForm,
} from "../../../src/gglib/proxy/web/page/pages/models/forms.js";

const model = {
  name: "llama", aliases: ["a", "b"], tags: [], context: 8192, idle_ttl_s: 600, kind: null, priority: "batch", keep_conversations: null, is_pinned: false,
};
const changed = (fields) => changesOf(settingsForm(model), { ...settingsForm(model), ...fields });

test("an unchanged form changes nothing", () => {
  assert.deepEqual(changed({}), { changes: {}, errors: {} });
});

test("only the fields that differ are sent", () => {
  assert.deepEqual(changed({ aliases: "b, c,, c", context: "16,384", is_pinned: true }).changes, {
    aliases: ["b", "c"], context: 16384, is_pinned: true,
  });
  assert.deepEqual(changed({ name: " coder ", tags: "x", kind: "embedding", priority: "interactive" }).changes, {
    name: "coder", tags: ["x"], kind: "embedding", priority: "interactive",
  });
});

test("whether conversations are kept is true, false, or the default", () => {
  assert.deepEqual(changed({ keep_conversations: "true" }).changes, { keep_conversations: true });
  assert.deepEqual(changed({ keep_conversations: "false" }).changes, { keep_conversations: false });
  const before = settingsForm({ ...model, keep_conversations: false });
  assert.equal(before.keep_conversations, "false");
  assert.deepEqual(changesOf(before, { ...before, keep_conversations: "" }).changes, { keep_conversations: null });
});

test("an empty field resets the setting", () => {
  assert.deepEqual(changed({ context: "", idle_ttl_s: "", priority: "", aliases: "" }).changes, {
    context: null, idle_ttl_s: null, priority: null, aliases: [],
  });
  assert.deepEqual(changed({ idle_ttl_s: "off" }).changes, { idle_ttl_s: null });
  assert.deepEqual(changed({ idle_ttl_s: "0s" }).changes, { idle_ttl_s: null });
});

test("a field that cannot be read has an error, and is not sent", () => {
  const { changes, errors } = changed({ name: " ", context: "8k", idle_ttl_s: "soon", is_pinned: true });
  assert.deepEqual(changes, { is_pinned: true });
  assert.deepEqual(Object.keys(errors).sort(), ["context", "idle_ttl_s", "name"]);
  for (const context of ["0", "-1", "1.5", "4294967296"]) assert.ok(changed({ context }).errors.context, context);
});

test("durations are read and written in the forms of the command line", () => {
  assert.deepEqual(["90", "30s", "10 min", "10m", "2H", "1d", "1.5h"].map(secondsIn), [90, 30, 600, 600, 7200, 86400, 5400]);
  assert.deepEqual(["", "m", "-5", "5 weeks"].map(secondsIn), [null, null, null, null]);
  assert.deepEqual([90, 600, 7200, 86400, 0.5, 0].map(secondsText), ["90s", "10m", "2h", "1d", "0.5s", "0s"]);
  assert.deepEqual(namesIn("a, b\nc"), ["a", "b", "c"]);
});

test("unset settings are empty fields", () => {
  const form = settingsForm({ ...model, context: null, idle_ttl_s: null, kind: "rerank", priority: null, tags: ["x", "y"] });
  assert.deepEqual(
    [form.context, form.idle_ttl_s, form.kind, form.priority, form.tags, form.aliases],
    ["", "", "rerank", "", "x, y", "a, b"],
  );
});

test("what was typed stays when the model changes meanwhile", () => {
  const before = settingsForm(model);
  const now = settingsForm({ ...model, is_pinned: true, context: 4096, tags: ["x"] });
  assert.deepEqual(rebased(before, { ...before, tags: "mine" }, now), { ...now, tags: "mine" });
  assert.deepEqual(rebased(before, before, now), now);
  assert.deepEqual(rebased(before, { ...before, name: "coder" }, { ...before, name: "coder" }), { ...before, name: "coder" });
});
