import assert from "node:assert/strict";
import { test } from "node:test";

import { deviceTitle, fitReason, freeMemory, heldText, memoryText, needParts, needText } from "../../../src/gglib/proxy/web/page/lib/format.js";

const need = { weights_bytes: 5e9, kv_bytes: 1e9, compute_bytes: 2e8, overhead_bytes: 1e8, total_bytes: 6.3e9, is_exact: true };
const ram = { total_bytes: 16e9, available_bytes: 12e9, gpus: [] };
const gpus = { ...ram, gpus: [{ name: "A", total_bytes: 8e9, free_bytes: 5e9 }, { name: "B", total_bytes: 8e9, free_bytes: 2e9 }] };

test("the free memory is that of the GPUs, else the RAM", () => {
  assert.equal(freeMemory(ram), 12e9);
  assert.equal(freeMemory(gpus), 7e9);
  assert.equal(freeMemory(null), null);
  assert.equal(memoryText(ram), "RAM: 12 GB of 16 GB free");
  assert.equal(memoryText({ ...gpus, available_bytes: null }), "A: 5 GB of 8 GB free, B: 2 GB of 8 GB free");
});

test("what models in memory take is added up by device", () => {
  const residents = [{ size: { ram: 1e9, gpu0: 5e9 } }, { size: { gpu0: 2e9, gpu1: 3e9 } }];
  assert.equal(heldText(residents), "Models in memory take 1 GB of RAM and 7 GB of GPU 0 and 3 GB of GPU 1, which a swap frees.");
  assert.equal(heldText([]), "");
  assert.equal(deviceTitle("gpu10"), "GPU 10");
});

test("the need has three parts", () => {
  assert.deepEqual(needParts(need).map(({ size }) => size), [5e9, 1e9, 3e8]);
  assert.equal(needText(need), "weights 5 GB, context 1 GB, compute 300 MB");
});

test("the reason of a fit has both numbers", () => {
  const reason = (fit, memory, fields = {}, slots = 4) => fitReason({ fit, need: { ...need, ...fields }, slots }, memory);
  assert.equal(reason("fits", ram), "Needs 6.3 GB of 12 GB free");
  assert.equal(reason("fits", ram, {}, 1), "Needs 6.3 GB of 12 GB free, for one request at a time");
  assert.equal(reason("too large", ram), "Needs 6.3 GB of 12 GB free");
  assert.match(reason("tight", ram), /12 GB free: unload models/);
  assert.match(reason("tight", gpus), /7 GB free on the GPU: a part stays in RAM/);
  assert.equal(reason("fits", null, { is_exact: false }), "Needs about 6.3 GB");
});
