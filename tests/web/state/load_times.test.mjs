import assert from "node:assert/strict";
import test from "node:test";

import { applyEvent, emptyState } from "../../../src/gglib/proxy/web/page/state/live.js";

test("a load that begins after the snapshot does not move the times of other models", () => {
  const idle = { model_id: 1, model_name: "a", state: "ready", idle_s: 30 };
  const before = applyEvent(emptyState(), "snapshot", { residents: [idle], waiting: [] }, 1000);
  const after = applyEvent(before, "loading", { model_id: 2, model_name: "b", effective_ctx: 8192, expected_s: 9 }, 6000);
  assert.equal(after.statusAt, 1000);
  const [first, second] = after.status.residents;
  assert.equal(first.idle_s, 30);
  assert.equal(second.loading_for_s + (6000 - after.statusAt) / 1000, 0);
});
