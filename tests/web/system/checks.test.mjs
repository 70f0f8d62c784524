import assert from "node:assert/strict";
import { test } from "node:test";

import { byUrgency, messageParts, summaryOf } from "../../../src/gglib/proxy/web/page/pages/system/texts.js";

const checks = (...verdicts) => verdicts.map((verdict, index) => ({ name: `c${index}`, verdict, message: "" }));

test("a summary says what needs attention", () => {
  assert.deepEqual(summaryOf(checks("ok", "ok")), { tone: "ok", text: "all 2 passed" });
  assert.deepEqual(summaryOf(checks("ok", "warn")), { tone: "warn", text: "1 warning" });
  assert.deepEqual(summaryOf(checks("warn", "fail", "warn")), { tone: "bad", text: "1 failed, 2 warnings" });
});

test("what needs attention comes first, otherwise the order stays", () => {
  const sorted = byUrgency(checks("ok", "warn", "ok", "fail", "warn")).map((check) => check.name);
  assert.deepEqual(sorted, ["c3", "c1", "c4", "c0", "c2"]);
});

test("commands in a message are parts of their own", () => {
  const shown = (message) => messageParts(message).map((part) => (part.isCommand ? `[${part.text}]` : part.text));
  assert.deepEqual(shown("No models yet: 'gglib up' downloads one, 'gglib add FILE' adds one."), ["No models yet: ", "[gglib up]", " downloads one, ", "[gglib add FILE]", " adds one."]);
  assert.deepEqual(shown(`lower it ("gglib set 'my model' --ctx N")`), ["lower it (", "[gglib set 'my model' --ctx N]", ")"]);
  assert.deepEqual(shown("'llama-3b' needs 4 GB, and gglib runs"), ["'llama-3b' needs 4 GB, and gglib runs"]);
  assert.deepEqual(shown("'gglib rm'"), ["[gglib rm]"]);
  assert.deepEqual(shown("run 'chmod 600 config.toml'."), ["run ", "[chmod 600 config.toml]", "."]);
  assert.deepEqual(shown("'/opt/bin/python3 -m gglib up' helps"), ["[/opt/bin/python3 -m gglib up]", " helps"]);
  assert.deepEqual(shown(""), []);
});
