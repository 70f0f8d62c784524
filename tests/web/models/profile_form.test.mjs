import assert from "node:assert/strict";
import { test } from "node:test";

import { profileForm, profileOf, summaryOf } from "../../../src/gglib/proxy/web/page/pages/models/forms.js";

const profile = {
  name: "precise", model: "llama", description: "For code", system: "Be brief.",
  defaults: { temperature: 0.1, top_k: 20, stop: ["END"], seed: "odd" }, template_kwargs: { enable_thinking: false }, strip: ["user", "n"],
};
const blank = { ...profileForm(null, "llama"), name: "new" };
const errorsOf = (fields) => profileOf({ ...blank, ...fields }).errors;

test("a stored profile goes through the form unchanged", () => {
  const { name, model, ...body } = profile;
  assert.deepEqual(profileOf(profileForm(profile)), { profile: body, errors: {} });
  assert.equal(profileForm(profile).model, "llama");
  assert.equal(profileForm({ ...profile, model: null }).model, "");
});

test("a new profile sets nothing", () => {
  assert.deepEqual(profileOf(blank), {
    profile: { description: "", system: null, defaults: {}, template_kwargs: {}, strip: [] }, errors: {},
  });
});

test("sampling values are checked as the server checks them", () => {
  const sampling = { temperature: "6", top_p: "x", top_k: "1.5", presence_penalty: "-2", max_tokens: "0", seed: "-1", min_p: " " };
  const { profile: made, errors } = profileOf({ ...blank, sampling });
  assert.deepEqual(Object.keys(errors).sort(), ["max_tokens", "temperature", "top_k", "top_p"]);
  assert.deepEqual(made.defaults, { presence_penalty: -2, seed: -1 });
  assert.equal(errors.temperature, "A number from 0 to 5");
  assert.equal(errors.max_tokens, "An integer of at least 1");
});

test("other defaults are a JSON object that repeats no field", () => {
  assert.match(errorsOf({ defaults: "{" }).defaults, /not JSON/);
  assert.match(errorsOf({ defaults: "[1]" }).defaults, /JSON object/);
  assert.match(errorsOf({ template_kwargs: "null" }).template_kwargs, /JSON object/);
  assert.match(errorsOf({ defaults: '{"top_p": 1}', sampling: { top_p: "0.5" } }).defaults, /remove one/);
  assert.deepEqual(errorsOf({ defaults: '{"top_p": 1}' }), {});
});

test("names and descriptions have the limits of the server", () => {
  for (const name of ["", "a b", "a:b", "x".repeat(65)]) assert.ok(errorsOf({ name }).name, name);
  assert.ok(errorsOf({ description: "x".repeat(513) }).description);
  assert.deepEqual(errorsOf({ name: "v1.2_x-y" }), {});
});

test("the summary is one line", () => {
  assert.equal(
    summaryOf(profile),
    'temperature 0.1 · top_k 20 · stop ["END"] · seed odd · enable_thinking false · system prompt · without user, n',
  );
  assert.equal(summaryOf({ ...profile, defaults: {}, template_kwargs: {}, system: null, strip: [] }), "sets nothing");
});
