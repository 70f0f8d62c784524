import assert from "node:assert/strict";
import test from "node:test";

import { answers, catalogueText, coloursOf, failureText, placeText, TONES, workText } from "../../../src/gglib/proxy/web/page/pages/now/node_facts.js";

test("only nodes that answer have a memory and a queue", () => {
  assert.deepEqual(Object.keys(TONES).filter((state) => answers({ state })), ["ready", "draining"]);
});

test("models of a node have colours, which more models than colours share", () => {
  const residents = Array.from({ length: 9 }, (_, id) => ({ model_id: id }));
  assert.deepEqual([...coloursOf({ residents }).values()], [1, 2, 3, 4, 5, 6, 7, 8, 1]);
});

test("the work of a node is what waits and what is served", () => {
  assert.equal(workText({ waiting: 3, in_flight: 2 }), "3 waiting, 2 in flight");
  assert.equal(workText({ waiting: 0, in_flight: 1 }), "1 in flight");
  assert.equal(workText({ waiting: 0, in_flight: 0 }), "idle");
});

test("a node has an address, except for the machine of the server", () => {
  assert.equal(placeText({ is_own: true, url: null, version: "1.0" }), "this machine, 1.0");
  assert.equal(placeText({ is_own: false, url: "http://box:8080", version: null }), "http://box:8080");
  assert.equal(catalogueText({ models: [{}], seen_s: 1 }), "1 model in the catalogue");
  assert.equal(catalogueText({ models: [], seen_s: 1 }), "0 models in the catalogue");
  assert.equal(catalogueText({ models: [], seen_s: null }), "");
});

test("a failure says when the node was last seen", () => {
  assert.equal(failureText({ failure: null, seen_s: 1 }), "");
  assert.equal(failureText({ failure: "It is gone.", seen_s: null }), "It is gone.");
  assert.equal(failureText({ failure: "It is gone.", seen_s: 90 }), "It is gone. It was last seen 2 min ago.");
});
