/** A request as a command for curl. Pure. */

/** Longer bodies are a here document: an argument of Linux has at most 128 KiB. */
const MAX_ARGUMENT_BYTES = 100_000;
const CHAT = { messages: [{ role: "user", content: "YOUR PROMPT" }] };
const PROMPT = { prompt: "YOUR PROMPT" };
const INPUT = { input: "YOUR TEXT" };
const RANKED = { query: "YOUR QUESTION", documents: ["YOUR TEXT"] };

/** Bodies of requests that were not recorded, by route. @type {Record<string, object>} */
const EXAMPLES = {
  "/v1/chat/completions": CHAT,
  "/v1/chat/completions/input_tokens": CHAT,
  "/v1/messages": { max_tokens: 256, ...CHAT },
  "/v1/messages/count_tokens": CHAT,
  "/v1/responses": INPUT,
  "/v1/responses/input_tokens": INPUT,
  "/v1/completions": PROMPT,
  "/completion": PROMPT,
  "/completions": PROMPT,
  "/v1/embeddings": INPUT,
  "/embedding": { content: "YOUR TEXT" },
  "/embeddings": { content: "YOUR TEXT" },
  "/v1/rerank": RANKED,
  "/v1/reranking": RANKED,
  "/v2/rerank": RANKED,
  "/rerank": RANKED,
  "/reranking": RANKED,
  "/api/chat": CHAT,
  "/api/generate": PROMPT,
  "/api/embed": INPUT,
  "/api/embeddings": PROMPT,
};
const FORM_ROUTE = "/v1/audio/transcriptions";
/** A terminal may obey control characters in a text that is pasted, also inside of quotes; JSON has none but tabs and ends of lines. */
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

/**
 * @param {{route: string, model: string | null, requested_model: string | null, profile: string | null, is_streamed: boolean}} request
 * @param {string | null} body The recorded body, if it is whole.
 * @param {string} origin Of the server: "http://127.0.0.1:8080".
 * @returns {string | null} Null if how the request was sent is unknown.
 */
export function curlCommand(request, body, origin) {
  const named = request.requested_model ?? (request.model !== null && request.profile ? `${request.model}:${request.profile}` : request.model);
  const model = named === null || CONTROL.test(named) ? null : named;
  const start = ["curl", request.is_streamed ? "-N" : "", quoted(origin + request.route), '-H "Authorization: Bearer $GGLIB_API_KEY"'].filter(Boolean).join(" ");
  if (request.route === FORM_ROUTE) {
    return [start, ...(model === null ? [] : [`--form-string ${quoted(`model=${model}`)}`]), "-F file=@SOUND.wav"].join(" \\\n  ");
  }
  const sent = body === null || CONTROL.test(body) ? exampleBody(request, model) : body;
  if (sent === null) return null;
  const head = `${start} \\\n  -H 'Content-Type: application/json'`;
  if (new TextEncoder().encode(sent).length <= MAX_ARGUMENT_BYTES) return `${head} \\\n  --data-raw ${quoted(sent)}`;
  const end = unused(sent);
  return `${head} \\\n  --data-binary @- <<'${end}'\n${sent}\n${end}`;
}

/** @param {string} text @returns {string} One word of a POSIX shell: nothing in it is expanded. */
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {{route: string, is_streamed: boolean}} request @param {string | null} model */
function exampleBody({ route, is_streamed: isStreamed }, model) {
  const example = EXAMPLES[route];
  if (example === undefined) return null;
  return JSON.stringify({ ...(model === null ? {} : { model }), ...example, ...(isStreamed ? { stream: true } : {}) });
}

/** @param {string} body @returns {string} A delimiter that is no line of the body. */
function unused(body) {
  const lines = new Set(body.split("\n"));
  let end = "JSON";
  while (lines.has(end)) end += "_";
  return end;
}
