/** The stream of events: when it is opened, ended and opened again. The server is scripted, and so is the clock. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

const page = Object.assign(new EventTarget(), { hidden: false });
globalThis.document = page;
mock.timers.enable({ apis: ["setTimeout", "setInterval"] });

/** Requests of the page, newest last, and what the server says. */
const server = { requests: [], status: 200, fail: new Set(), connections: [] };
globalThis.fetch = async (path, { headers, signal }) => {
  const name = path.split("?")[0];
  server.requests.push({ path: name, key: headers.authorization ?? null });
  if (server.fail.has(name)) return error(503);
  if (name === "/gglib/requests") return Response.json({ running: [], requests: [{ id: 1, request_id: "r", ended_at_s: 1 }] });
  if (name === "/gglib/swaps") return Response.json({ swaps: [{ ended_at: 1, from_model: null, to_model: "m" }] });
  return server.status === 200 ? events(signal) : error(server.status);
};
const error = (status) => Response.json({ error: { message: `It is ${status}.`, code: null } }, { status });

/** @param {AbortSignal} signal */
function events(signal) {
  const connection = { isOpen: true, write: null };
  server.connections.push(connection);
  const body = new ReadableStream({
    start(controller) {
      connection.write = (text) => controller.enqueue(new TextEncoder().encode(text));
      signal.addEventListener("abort", () => {
        if (connection.isOpen) controller.error(signal.reason);
        connection.isOpen = false;
      });
      connection.write(`event: snapshot\ndata: {"version":"1","residents":[],"waiting":[]}\n\n`);
    },
    cancel() { connection.isOpen = false; },
  });
  return new Response(body);
}

const { connection, connectionError, finished, follow, status, swaps } = await import("../../../src/gglib/proxy/web/page/state/live.js");
const { enterKey, forgetKey, key, needsKey } = await import("../../../src/gglib/proxy/web/page/state/session.js");

const opened = () => server.requests.filter(({ path }) => path === "/gglib/events");
const settled = async () => {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
};
async function pass(milliseconds) {
  for (let passed = 0; passed < milliseconds; passed += 500) {
    mock.timers.tick(500);
    await settled();
  }
}
function show(isShown) {
  page.hidden = !isShown;
  page.dispatchEvent(new Event("visibilitychange"));
}

follow();
let keys = 0;
beforeEach(async () => {
  server.status = 200;
  server.fail.clear();
  enterKey(`key ${(keys += 1)}`);
  await settled();
  assert.equal(connection.value, "live");
  server.requests.length = 0;
});

test("a key without rights is tried once, and nothing of the one before is shown", async () => {
  assert.notEqual(status.value, null);
  server.status = 403;
  enterKey("plain");
  await settled();
  assert.deepEqual([connection.value, connectionError.value?.message, status.value], ["denied", "It is 403.", null]);
  await pass(60_000);
  assert.equal(opened().length, 1);
  server.status = 200;
  enterKey("admin");
  await settled();
  assert.deepEqual([connection.value, connectionError.value], ["live", null]);
  assert.equal(opened().at(-1)?.key, "Bearer admin");
});

test("a key that is forgotten after it was denied is asked for", async () => {
  server.status = 403;
  enterKey("plain");
  await settled();
  server.status = 401;
  forgetKey();
  await settled();
  assert.ok(needsKey.value);
  await pass(60_000);
  assert.equal(opened().length, 2);
  server.status = 200;
  enterKey("admin");
  await settled();
  assert.equal(connection.value, "live");
  assert.equal(key.value, "admin");
});

test("a server that cannot be reached is tried again", async () => {
  server.status = 502;
  server.connections.at(-1).write("event: error\ndata: {}\n\n");
  await settled();
  assert.equal(connection.value, "lost");
  await pass(20_000);
  assert.ok(opened().length > 3);
  assert.notEqual(status.value, null);
  server.status = 200;
  await pass(6000);
  assert.equal(connection.value, "live");
});

test("a hidden page gives its connection back after a while, and connects when it is shown", async () => {
  const first = server.connections.at(-1);
  show(false);
  await pass(20_000);
  show(true);
  await pass(20_000);
  show(false);
  await pass(29_000);
  assert.ok(first.isOpen);
  await pass(2000);
  assert.ok(!first.isOpen);
  await pass(60_000);
  assert.equal(opened().length, 0);
  show(true);
  await settled();
  assert.equal(opened().length, 1);
  assert.equal(connection.value, "live");
});

test("a connection that went silent is replaced", async () => {
  const first = server.connections.at(-1);
  first.write(":\n\n");
  await pass(29_000);
  assert.ok(first.isOpen);
  await pass(8000);
  assert.ok(!first.isOpen);
  assert.equal(opened().length, 1);
  assert.equal(connection.value, "live");
});

test("without a history there still are swaps", async () => {
  assert.equal(finished.value.length, 1);
  server.fail.add("/gglib/requests");
  server.status = 403;
  enterKey("plain"); // forgets all
  await settled();
  assert.equal(swaps.value.length, 0);
  server.status = 200;
  enterKey("admin");
  await settled();
  assert.deepEqual([swaps.value.length, finished.value.length], [1, 0]);
});
