/** Texts for programs that connect to this server; and the next request of one of them, among those that the server reports. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").ClientSettings} Client
 * @typedef {import("../../lib/api_types.js").ClientTable} Table
 * @typedef {import("../../lib/api_types.js").RunningRequest} Running
 * @typedef {import("../../lib/api_types.js").StoredRequest} Stored
 * @typedef {{running: readonly Running[], finished: readonly Stored[]}} Seen
 * @typedef {"expected" | "waiting" | "answering" | "answered" | "failed"} Stage
 * @typedef {{stage: Stage, id: string, client: string | null, model: string | null, route: string,
 *   running: Running | null, stored: Stored | null}} Observed
 */

/** The titles of the kinds of clients. */
const KINDS = {
  program: "Programs for the terminal",
  application: "Applications and editors",
  library: "Libraries and commands",
};

/** @type {Record<string, string>} */
const APIS = { openai: "OpenAI", responses: "OpenAI Responses", anthropic: "Anthropic", ollama: "Ollama" };

/** Routes of the admin API, which this page uses itself. */
const OWN = "/gglib/";

/** @param {string} name An API in `speaks`. */
export function apiTitle(name) {
  return APIS[name] ?? name;
}

/** @param {string} url Without a path. @returns {{api: string, url: string}[]} What to enter as base URL. */
export function baseUrls(url) {
  const base = url.replace(/\/+$/, "");
  return ["openai", "anthropic", "ollama"].map((name, index) => ({ api: apiTitle(name), url: index === 0 ? `${base}/v1` : base }));
}

/** @param {string} text Whether the API takes it as the address of a server. */
export function isAddress(text) {
  return /^https?:\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\/?$/.test(text);
}

/** @param {string} url Whether only programs on the same machine reach it. */
export function isLoopback(url) {
  return /^https?:\/\/(localhost|127(\.\d+){3}|\[::1\])(:\d+)?\/?$/i.test(url);
}

/**
 * @param {readonly Client[]} clients @param {string} search Words that all have to be found.
 * @returns {{title: string, clients: Client[]}[]} Without empty groups.
 */
export function groupsOf(clients, search) {
  const words = search.toLowerCase().split(/\s+/);
  const found = clients.filter((client) => {
    const text = [client.title, client.name, client.how, ...client.speaks.map(apiTitle)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return Object.entries(KINDS).map(([kind, title]) => ({ title, clients: found.filter((client) => client.kind === kind) }))
    .filter((group) => group.clients.length > 0);
}

/**
 * @param {string} text Settings of a client. @param {Table["key"]} clientKey What stands for the key in them.
 * @param {string | null} key The key to insert; null: the placeholder stays.
 */
export function withKey(text, clientKey, key) {
  return clientKey && key !== null ? text.replaceAll(clientKey.placeholder, () => key) : text;
}

/**
 * @param {(string | null)[]} texts Settings and commands of a client. @param {Table["key"]} clientKey
 * @returns {string | null} The command that sets the variable in which they expect the key; null if they do not.
 */
export function variableCommand(texts, clientKey) {
  if (clientKey === null || !texts.some((text) => text?.includes(clientKey.variable))) return null;
  return `export ${clientKey.variable}='${clientKey.placeholder}'`;
}

/** @param {Seen} seen @returns {ReadonlySet<string>} The requests that are none of the next ones. */
export function knownRequests({ running, finished }) {
  return new Set([...running, ...finished].map((request) => request.request_id));
}

/**
 * @param {ReadonlySet<string>} known @param {Seen} seen
 * @returns {string | null} The id of the oldest request that is not known; null: none has come.
 */
export function nextRequest(known, { running, finished }) {
  const requests = [...finished.toReversed(), ...running];
  return requests.find(({ route, request_id: id }) => !route.startsWith(OWN) && !known.has(id))?.request_id ?? null;
}

/**
 * @param {string} id @param {Seen} seen
 * @returns {Observed | null} The state of a request; null if it is in neither list, as after a restart of the server.
 */
export function observe(id, { running, finished }) {
  const hasId = (/** @type {Running | Stored} */ request) => request.request_id === id;
  const stored = finished.find(hasId) ?? null;
  const current = stored ? null : running.find(hasId) ?? null;
  const request = stored ?? current;
  if (request === null) return null;
  const { client, model, route } = request;
  return { stage: stageOf(current, stored), id, client, model, route, running: current, stored };
}

/**
 * @param {Observed | null} before What was observed last. @param {string} id @param {Seen} seen
 * @returns {Observed | null} As `observe`; a request that has ended stays so when newer ones have taken its place in the list.
 */
export function observeOn(before, id, seen) {
  return observe(id, seen) ?? (before?.id === id && before.stored ? before : null);
}

/** @param {Running | null} running @param {Stored | null} stored @returns {Stage} */
function stageOf(running, stored) {
  if (stored === null) return running?.state === "waiting" ? "waiting" : "answering";
  return stored.error === null && stored.status !== null && stored.status < 400 ? "answered" : "failed";
}
