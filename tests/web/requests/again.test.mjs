/** Requests that are sent again: as a command for curl, which a shell runs here, and by the page. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { curlCommand, quoted, replayable } from "../../../src/gglib/proxy/web/page/pages/requests/facts.js";

const ORIGIN = "http://127.0.0.1:8080";
const request = { route: "/v1/chat/completions", model: "llama", requested_model: null, profile: null, is_streamed: false, count: 1 };
const NASTY = `{"content":"it's $HOME \`id\` \\"x\\" !! \\n \\\\ %s 'JSON' \u00e9\u202e"}`;
const bodies = (body) => ({ request: body, response: "", is_request_cut: false, is_response_cut: false });

/** Run a command with a function in the place of curl: it prints its arguments and its input, each followed by a zero. */
function run(command) {
  const script = `curl() { for a in "$@"; do printf '%s\\0' "$a"; if [ "$a" = @- ]; then cat; printf '\\0'; fi; done; }\n${command}`;
  const output = execFileSync("sh", ["-s"], { input: script, env: { GGLIB_API_KEY: "sk-1" }, maxBuffer: 1 << 24 }).toString();
  return output.split("\0").slice(0, -1);
}

test("a shell passes the recorded body on unchanged, and the key from the environment", () => {
  assert.deepEqual(run(curlCommand(request, NASTY, ORIGIN)), [`${ORIGIN}/v1/chat/completions`, "-H", "Authorization: Bearer sk-1", "-H", "Content-Type: application/json", "--data-raw", NASTY]);
});

test("a body that is too long for an argument is the input", () => {
  const long = `{"a":"${"x'$y".repeat(60_000)}",\n"b":\nJSON\n1}`;
  const given = run(curlCommand(request, long, ORIGIN));
  assert.equal(given.at(-2), "@-");
  assert.equal(given.at(-1), `${long}\n`);
});

test("without a recorded body there is an example with the model", () => {
  const sent = run(curlCommand({ ...request, profile: "coding", is_streamed: true }, null, ORIGIN));
  assert.equal(sent[0], "-N");
  assert.deepEqual(JSON.parse(sent.at(-1)), { model: "llama:coding", messages: [{ role: "user", content: "YOUR PROMPT" }], stream: true });
  assert.deepEqual(JSON.parse(run(curlCommand({ ...request, requested_model: "gpt-4o" }, null, ORIGIN)).at(-1)).model, "gpt-4o");
  assert.equal(curlCommand({ ...request, route: "/gglib/models/{name}" }, null, ORIGIN), null);
});

test("sound is a form", () => {
  assert.deepEqual(run(curlCommand({ ...request, route: "/v1/audio/transcriptions" }, null, ORIGIN)).slice(3), ["--form-string", "model=llama", "-F", "file=@SOUND.wav"]);
});

test("a name of a model neither reads a file nor controls a terminal", () => {
  const audio = { ...request, route: "/v1/audio/transcriptions", requested_model: "@/etc/passwd" };
  assert.ok(run(curlCommand(audio, null, ORIGIN)).includes("--form-string"));
  assert.ok(!curlCommand({ ...audio, requested_model: "m\x1b[201~" }, null, ORIGIN).includes("\x1b"));
  assert.ok(!curlCommand({ ...request, requested_model: "m\x9b2J" }, null, ORIGIN).includes("\x9b"));
});

test("a body with control characters, which is no JSON, is replaced by an example", () => {
  const sent = run(curlCommand(request, '{"a":"\x1b[201~\nrm x"}', ORIGIN)).at(-1);
  assert.deepEqual(JSON.parse(sent).model, "llama");
});

test("quoting keeps every character", () => {
  for (const text of ["", "'", "''\\'", "a\nb", "$(x)", "--x"]) assert.deepEqual(run(`curl ${quoted(text)}`), [text]);
});

test("a body that was recorded whole can be sent again", () => {
  assert.deepEqual(replayable(request, bodies(NASTY)), { body: NASTY, reason: null });
  assert.equal(replayable(request, bodies('{"seed":9223372036854775807}')).body, '{"seed":9223372036854775807}');
});

test("others cannot, and the reason is given", () => {
  const reason = (changed, route = request.route) => replayable({ ...request, route }, changed).reason;
  assert.match(reason(null), /not recorded/);
  assert.match(reason({ ...bodies("{}"), is_request_cut: true }), /in part/);
  assert.match(reason(bodies("[1]")), /not a JSON object/);
  assert.match(reason(bodies("[12 bytes that are not UTF-8]")), /not a JSON object/);
  assert.match(reason(bodies("{}"), "/v1/models/{id}"), /with a body/);
  for (const replaced of ["[redacted: Hugging Face token]", "[image/png, 1.2 MB]", "[data, 600 B]", "[image/webp or audio/wav, 3 kB]", "[768 numbers]"]) {
    assert.match(reason(bodies(JSON.stringify({ a: replaced }))), /without a secret, a file or numbers/, replaced);
  }
  assert.match(reason(bodies('{"logprobs":"[left out]"}')), /without/);
});
