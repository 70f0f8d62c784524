import assert from "node:assert/strict";
import { test } from "node:test";

import { engineArgsCommand, quoted } from "../../../src/gglib/proxy/web/page/pages/models/forms.js";

test("words are quoted where a shell needs it", () => {
  assert.deepEqual(["llama-3b", "ada/x:Q4", "my model", "it's", ""].map(quoted), ["llama-3b", "ada/x:Q4", "'my model'", `'it'"'"'s'`, "''"]);
});

test("the command for engine options begins with the present ones", () => {
  assert.equal(engineArgsCommand("coder", ["--threads", "4"]), "gglib set coder --engine-args '--threads 4'");
  assert.equal(engineArgsCommand("my model", []), "gglib set 'my model' --engine-args '--flash-attn on'");
});
