import assert from "node:assert/strict";
import test from "node:test";

import { deviceBars, solidAndLighter } from "../../../src/gglib/proxy/web/page/pages/now/figures.js";
import { assignColours, COLOURS, sumOf } from "../../../src/gglib/proxy/web/page/pages/now/models.js";

const resident = (id, size, changes = {}) => ({ model_id: id, model_name: `m${id}`, size, is_measured: false, measured_size: {}, estimated_size: {}, ...changes });
const status = (changes) => ({ residents: [], devices: {}, limits: {}, ...changes });

test("a model keeps its colour while others come and go", () => {
  const first = assignColours(new Map(), [5, 9]);
  assert.deepEqual([...first], [[5, 1], [9, 2]]);
  const second = assignColours(first, [9, 3]);
  assert.deepEqual([second.get(9), second.get(3)], [2, 1]);
});

test("more models than colours share them", () => {
  const colours = assignColours(new Map(), Array.from({ length: 20 }, (_, id) => id));
  assert.equal(new Set(colours.values()).size, COLOURS);
  assert.ok([...colours.values()].every((colour) => colour >= 1 && colour <= COLOURS));
});

test("RAM is first, GPUs are in the order of their numbers", () => {
  const devices = { gpu10: {}, gpu2: {}, ram: {} };
  assert.deepEqual(deviceBars(status({ devices }), new Map()).map((bar) => bar.title), ["RAM", "GPU 2", "GPU 10"]);
});

test("the parts of a bar add up to what is not free", () => {
  const [bar] = deviceBars(status({
    residents: [resident(1, { ram: 30 }), resident(2, { gpu0: 5 })],
    devices: { ram: { total_bytes: 100, available_bytes: 50 } },
    limits: { ram: 70 },
  }), new Map([[1, 4]]));
  assert.deepEqual([bar.total, bar.free, bar.other, bar.used, bar.limit, bar.isTotalKnown], [100, 50, 20, 30, 70, true]);
  assert.deepEqual(bar.models.map((model) => [model.name, model.colour, model.size]), [["m1", 4, 30]]);
});

test("mapped files are available memory: other use is not negative", () => {
  const [bar] = deviceBars(status({ residents: [resident(1, { ram: 60 })], devices: { ram: { total_bytes: 100, available_bytes: 90 } } }), new Map());
  assert.deepEqual([bar.other, bar.total, bar.limit], [0, 100, null]);
});

test("without the machine's memory the budget is the total, or else the models", () => {
  const residents = [resident(1, { ram: 60 })];
  const [limited] = deviceBars(status({ residents, limits: { ram: 80 } }), new Map());
  assert.deepEqual([limited.total, limited.free, limited.isTotalKnown], [80, null, false]);
  const [unlimited] = deviceBars(status({ residents, devices: undefined }), new Map());
  assert.equal(unlimited.total, 60);
  const [unread] = deviceBars(status({ residents, devices: { ram: { total_bytes: null, available_bytes: null } } }), new Map());
  assert.deepEqual([unread.total, unread.isTotalKnown], [60, false]);
});

test("models that need more than there is make the bar longer", () => {
  const [bar] = deviceBars(status({ residents: [resident(1, { ram: 150 })], devices: { ram: { total_bytes: 100, available_bytes: 10 } } }), new Map());
  assert.equal(bar.total, 150);
});

test("the measured part is solid, the expected part lighter", () => {
  const share = { id: 1, name: "m", colour: 1, size: 10 };
  assert.deepEqual(solidAndLighter({ ...share, measured: 7, isMeasured: true }), { solid: 7, lighter: 3 });
  assert.deepEqual(solidAndLighter({ ...share, measured: 12, isMeasured: true }), { solid: 10, lighter: 0 });
  assert.deepEqual(solidAndLighter({ ...share, measured: null, isMeasured: true }), { solid: 10, lighter: 0 });
  assert.deepEqual(solidAndLighter({ ...share, measured: 7, isMeasured: false }), { solid: 0, lighter: 10 });
});

test("sums over devices", () => {
  assert.equal(sumOf({ ram: 2, gpu0: 3 }), 5);
  assert.equal(sumOf({}), null);
  assert.equal(sumOf(undefined), null);
});
