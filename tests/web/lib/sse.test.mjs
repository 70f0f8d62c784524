/** Server-sent events, and connections that are dead without an end. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { parseEvents } from "../../../src/gglib/proxy/web/page/lib/api.js";

/** A stream that a test writes. */
function connection() {
  const found = { events: [], error: null, isCancelled: false };
  let controller;
  const stream = new ReadableStream({
    start: (given) => { controller = given; },
    cancel: () => { found.isCancelled = true; },
  });
  const write = async (text) => {
    controller.enqueue(new TextEncoder().encode(text));
    await settled();
  };
  const read = async (limits) => {
    try {
      for await (const event of parseEvents(stream, limits)) found.events.push(event);
    } catch (error) {
      found.error = error;
    }
  };
  return { found, write, read, end: () => controller.close() };
}

/** Lets all promises that can settle do so. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("events in pieces, without comments", async () => {
  const { found, write, read, end } = connection();
  const reading = read();
  await write(": hello\n\nevent: a\nda");
  await write("ta: 1\n\ndata: 2\ndata: 3\n\n");
  end();
  await reading;
  assert.deepEqual(found.events, [{ event: "a", data: "1" }, { event: "message", data: "2\n3" }]);
});

test("silence after a heartbeat is the end of the connection", async (t) => {
  t.after(() => mock.timers.reset());
  mock.timers.enable({ apis: ["setTimeout"] });
  const { found, write, read } = connection();
  void read({ idleMs: 30_000 });
  await write(":\n\n");
  mock.timers.tick(29_000);
  await write("data: 1\n\n");
  mock.timers.tick(29_000);
  await settled();
  assert.equal(found.error, null, "any byte counts");
  mock.timers.tick(2000);
  await settled();
  assert.match(found.error.message, /silent/);
  assert.equal(found.events.length, 1);
  assert.ok(found.isCancelled);
});

test("without heartbeats, and without a limit, a stream may be silent", async (t) => {
  t.after(() => mock.timers.reset());
  mock.timers.enable({ apis: ["setTimeout"] });
  for (const [limits, text] of [[{ idleMs: 30_000 }, "data: 1\n\n"], [{}, ":\n\n"]]) {
    const { found, write, read } = connection();
    void read(limits);
    await write(text);
    mock.timers.tick(3_600_000);
    await settled();
    assert.equal(found.error, null);
  }
});

test("a server with rare heartbeats may be silent for longer", async (t) => {
  t.after(() => mock.timers.reset());
  let now = 0;
  t.mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  const { found, write, read } = connection();
  void read({ idleMs: 30_000 });
  await settled();
  now = 60_000;
  await write(":\n\n");
  mock.timers.tick(179_000);
  await settled();
  assert.equal(found.error, null);
  mock.timers.tick(2000);
  await settled();
  assert.match(found.error.message, /silent/);
});
