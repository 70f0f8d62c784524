/** What the list and the details say of a request, and how it is sent again. Pure. */

import { clock, dateTime, NO_VALUE } from "../../lib/format.js";

/**
 * @typedef {import("../../lib/api_types.js").BodyTexts} BodyTexts
 * @typedef {{body: string, reason: null} | {body: null, reason: string}} Replayable The body to send, or why not.
 */

const CLIENT_LEFT = 499;
/** Parts that are shorter are as good as none. */
const SHORTEST_S = 0.0005;

/**
 * The columns from the left, with their widths in pixels (those of `style/requests.css`); those with the highest rank
 * are left out first.
 * @type {[id: string, width: number, rank: number, isNumber?: true][]}
 */
const COLUMNS = [
  ["time", 92, 1],
  ["model", 176, 0],
  ["client", 100, 4],
  ["key", 84, 11],
  ["node", 84, 8],
  ["route", 136, 10],
  ["status", 114, 2],
  ["waited", 72, 7, true],
  ["first", 98, 6, true],
  ["total", 90, 3, true],
  ["prompt", 66, 9, true],
  ["cached", 70, 13, true],
  ["completion", 70, 5, true],
  ["speed", 88, 12, true],
];
/** Never left out: on a phone they are narrower. */
const LAST_KEPT_RANK = 3;

const FOLD_LINES = 60;
const FOLD_CHARS = 6000;
/** Controls, and characters that change the direction of text: they would hide what is there. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** Numbers that may be shown inexactly: they have more digits than a double. */
const LARGE_INTEGER = /(?:^|[\s:,[])-?\d{16,}(?=[\s,}\]]|$)/;

/** What the recording puts in the place of secrets, files and lists of numbers. */
const REPLACED = /\[redacted: [^\]\n]{1,80}\]|\[[\w.+-]+(?:\/[\w.+-]+)?(?: or [\w./+-]+)?, \d[\d.]* ?(?:[kMG]i?)?B\]|\[\d+ numbers\]|"\[left out\]"/;

/** Longer bodies are a here document: an argument of Linux has at most 128 KiB. */
const MAX_ARGUMENT_BYTES = 100_000;
/** A terminal may obey control characters in a text that is pasted, also inside of quotes; JSON has none but tabs and ends of lines. */
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;
const FORM_ROUTE = "/v1/audio/transcriptions";
const CHAT = { messages: [{ role: "user", content: "YOUR PROMPT" }] };
const PROMPT = { prompt: "YOUR PROMPT" };
const INPUT = { input: "YOUR TEXT" };

/** Bodies of requests that were not recorded, with their routes. @type {[body: object, routes: string[]][]} */
const EXAMPLES = [
  [CHAT, ["/v1/chat/completions", "/v1/chat/completions/input_tokens", "/v1/messages/count_tokens", "/api/chat"]],
  [{ max_tokens: 256, ...CHAT }, ["/v1/messages"]],
  [INPUT, ["/v1/responses", "/v1/responses/input_tokens", "/v1/embeddings", "/api/embed"]],
  [PROMPT, ["/v1/completions", "/completion", "/completions", "/api/generate", "/api/embeddings"]],
  [{ content: "YOUR TEXT" }, ["/embedding", "/embeddings"]],
  [{ query: "YOUR QUESTION", documents: ["YOUR TEXT"] }, ["/v1/rerank", "/v1/reranking", "/v2/rerank", "/rerank", "/reranking"]],
];

/** @param {{status: number | null, error: string | null}} request Whether it failed, as the server counts it. */
export function isFailed({ status, error }) {
  return error !== null || status === null || status >= 400;
}

/** @param {{status: number | null, error: string | null}} request @returns {{tone: "quiet" | "warn" | "bad", text: string}} */
export function statusBadge(request) {
  const { status } = request;
  const text = String(status ?? "none");
  if (status === CLIENT_LEFT || !isFailed(request)) return { tone: "quiet", text };
  return { tone: status !== null && status >= 400 && status < 500 ? "warn" : "bad", text };
}

/** @param {{model: string | null, requested_model: string | null, profile: string | null}} request "MODEL:PROFILE" */
export function modelName({ model, requested_model: requested, profile }) {
  const name = model ?? requested;
  return name === null ? NO_VALUE : profile ? `${name}:${profile}` : name;
}

/** @param {string} route Without the prefix that most have. */
export function shortRoute(route) {
  return route.replace(/^\/v1\//, "");
}

/** @param {number} endedAt @param {number} now Both Unix times. @returns {string} "22:41:07" within a day, else "11-28 22:41". */
export function shortTime(endedAt, now) {
  return Math.abs(now - endedAt) < 20 * 3600 ? clock(endedAt) : dateTime(endedAt).slice(5, 16);
}

/**
 * The parts of a request's duration, in seconds, in their order.
 * @param {{waited_s: number | null, first_byte_s: number | null, duration_s: number, is_streamed: boolean}} request
 * @returns {{name: string, seconds: number, tone: string}[]} Without parts that are missing. The first token is counted from the start of its model's work.
 */
export function phases({ waited_s: waited, first_byte_s: first, duration_s: total, is_streamed: isStreamed }) {
  const wait = Math.min(waited ?? 0, total);
  const start = first === null ? total : Math.min(Math.max(first, wait), total);
  const [name, tone] = first === null ? ["Until its end", "s8"] : [isStreamed ? "First token" : "Until the response", "s4"];
  const found = [
    { name: "Waited", seconds: wait, tone: "s5" },
    { name, seconds: start - wait, tone },
    { name: "Response", seconds: total - start, tone: "" },
  ];
  return found.filter(({ seconds }) => seconds >= SHORTEST_S);
}

/** Which columns fit into the list. @param {number} width In pixels. @param {{hasKeys: boolean, hasNodes: boolean}} values Columns that have some. @returns {{id: string, isNumber: boolean}[]} */
export function fitting(width, { hasKeys, hasNodes }) {
  const taken = new Set();
  let rest = width;
  for (const [id, columnWidth, rank] of COLUMNS.toSorted((one, other) => one[2] - other[2])) {
    if ((id === "key" && !hasKeys) || (id === "node" && !hasNodes)) continue;
    if (rank > LAST_KEPT_RANK && columnWidth > rest) break;
    rest -= columnWidth;
    taken.add(id);
  }
  return COLUMNS.filter(([id]) => taken.has(id)).map(([id, , , isNumber = false]) => ({ id, isNumber }));
}

/** @param {string} text A recorded body. @returns {string} Indented if it is JSON; characters that cannot be seen are escapes. */
export function readable(text) {
  return pretty(text).replace(/\r\n/g, "\n").replace(UNSEEN, (unseen) => `\\u${unseen.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** @param {string} text @returns {{text: string, lines: number, isFolded: boolean}} The beginning of a long text. */
export function folded(text) {
  const lines = text.split("\n");
  const isFolded = lines.length > FOLD_LINES * 1.2 || text.length > FOLD_CHARS * 1.2;
  return { text: isFolded ? lines.slice(0, FOLD_LINES).join("\n").slice(0, FOLD_CHARS) : text, lines: lines.length, isFolded };
}

/** @param {string} text */
function pretty(text) {
  const value = parsedObject(text);
  return value === null || LARGE_INTEGER.test(text) ? text : JSON.stringify(value, null, 2);
}

/** @param {string} text @returns {object | null} The object or list in a JSON text; null: it is none. */
function parsedObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/**
 * Whether a recorded request can be sent again as it was.
 * @param {{route: string, count: number}} request @param {BodyTexts | null} bodies
 * @returns {Replayable}
 */
export function replayable(request, bodies) {
  const reason = obstacle(request, bodies);
  return bodies && !reason ? { body: bodies.request, reason: null } : { body: null, reason: `${reason}.` };
}

/** @param {{route: string}} request @param {BodyTexts | null} bodies @returns {string} Empty: it can be sent again. */
function obstacle({ route }, bodies) {
  const end = "so it cannot be sent again";
  if (bodies === null) return `Its body was not recorded, ${end}`;
  if (route.includes("{")) return "Only requests with a body can be sent again";
  if (bodies.is_request_cut) return `Its body was recorded in part only, ${end}`;
  const [replaced] = REPLACED.exec(bodies.request) ?? [];
  if (replaced) return `Its body was recorded without a secret, a file or numbers (${replaced}), ${end}`;
  const value = parsedObject(bodies.request);
  return value === null || Array.isArray(value) ? `Its body is not a JSON object, ${end}` : "";
}

/**
 * A request as a command for curl.
 * @param {{route: string, model: string | null, requested_model: string | null, profile: string | null, is_streamed: boolean}} request
 * @param {string | null} body The recorded body, if it is whole.
 * @param {string} origin Of the server: "http://127.0.0.1:8080".
 * @returns {string | null} Null if how the request was sent is unknown.
 */
export function curlCommand(request, body, origin) {
  const named = request.requested_model ?? (request.model && modelName(request));
  const model = named && !CONTROL.test(named) ? named : null;
  const start = `curl ${request.is_streamed ? "-N " : ""}${quoted(origin + request.route)} -H "Authorization: Bearer $GGLIB_API_KEY"`;
  if (request.route === FORM_ROUTE) {
    return [start, ...(model ? [`--form-string ${quoted(`model=${model}`)}`] : []), "-F file=@SOUND.wav"].join(" \\\n  ");
  }
  const sent = body === null || CONTROL.test(body) ? exampleBody(request, model) : body;
  if (sent === null) return null;
  const head = `${start} \\\n  -H 'Content-Type: application/json' \\\n  --data`;
  if (new TextEncoder().encode(sent).length <= MAX_ARGUMENT_BYTES) return `${head}-raw ${quoted(sent)}`;
  const end = unused(sent);
  return `${head}-binary @- <<'${end}'\n${sent}\n${end}`;
}

/** @param {string} text @returns {string} One word of a POSIX shell: nothing in it is expanded. */
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {{route: string, is_streamed: boolean}} request @param {string | null} model */
function exampleBody({ route, is_streamed: isStreamed }, model) {
  const [example] = EXAMPLES.find(([, routes]) => routes.includes(route)) ?? [];
  return example ? JSON.stringify({ ...(model ? { model } : {}), ...example, ...(isStreamed ? { stream: true } : {}) }) : null;
}

/** @param {string} body @returns {string} A delimiter that is no line of the body. */
function unused(body) {
  const lines = body.split("\n");
  let end = "JSON";
  while (lines.includes(end)) end += "_";
  return end;
}

/**
 * The text in one part of a streamed response, whichever dialect it has.
 * @param {string} data The data of one event, or one line.
 * @returns {string} What it adds to the text: empty for other events, and the part itself if it is not JSON.
 */
export function textOfPart(data) {
  if (data === "[DONE]" || data.trim() === "") return "";
  let part;
  try {
    part = JSON.parse(data);
  } catch {
    return data;
  }
  return part && typeof part === "object" ? texts(part).filter((text) => typeof text === "string").join("") : "";
}

/** @param {any} part @returns {unknown[]} */
function texts({ error, choices, delta, message, response, content }) {
  if (error) return [`\n[${typeof error === "string" ? error : error.message}]`];
  // OpenAI: chat, completions
  if (Array.isArray(choices)) return choices.flatMap(choiceTexts);
  // OpenAI: responses
  if (typeof delta === "string") return [delta];
  // Anthropic
  if (delta) return [delta.thinking, delta.text, delta.partial_json];
  // Ollama: chat
  if (typeof message?.content === "string") return [message.thinking, message.content];
  // Ollama: generate; llama.cpp
  return [response, content];
}

/** @param {any} choice @returns {unknown[]} */
function choiceTexts({ delta, text }) {
  const calls = (delta?.tool_calls ?? []).flatMap((/** @type {any} */ call) => [call.function?.name, call.function?.arguments]);
  return [delta?.reasoning_content, delta?.content, text, ...calls];
}
