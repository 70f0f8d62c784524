/** Paths of the API. */

import assert from "node:assert/strict";
import test from "node:test";

import { segment } from "../../../src/gglib/proxy/web/page/lib/api.js";

test("a name is one segment of a path, whatever its characters", () => {
  for (const name of ["a/b", "..%2f", "%2e%2e", "../x", "a?b#c", "...", "<img>"]) {
    const { pathname, search, hash } = new URL(`/gglib/models/${segment(name)}/load`, "http://127.0.0.1");
    assert.equal(pathname.split("/").length, 5, name);
    assert.equal(decodeURIComponent(pathname.split("/")[3] ?? ""), name);
    assert.equal(search + hash, "");
  }
});

test("names that would lead to another path are refused", () => {
  for (const name of [".", ".."]) assert.throws(() => segment(name), { name: "ApiError", status: 404 });
});
