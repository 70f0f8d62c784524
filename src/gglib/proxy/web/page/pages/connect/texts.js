/** Texts for programs that connect to this server. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").ClientSettings} Client
 * @typedef {import("../../lib/api_types.js").ClientTable} Table
 */

const GROUPS = /** @type {const} */ ([
  { kind: "program", title: "Programs for the terminal" },
  { kind: "application", title: "Applications and editors" },
  { kind: "library", title: "Libraries and commands" },
]);

/** @type {Record<string, string>} */
const APIS = { openai: "OpenAI", responses: "OpenAI Responses", anthropic: "Anthropic", ollama: "Ollama" };

/** @param {string} name An API in `speaks`. */
export function apiTitle(name) {
  return APIS[name] ?? name;
}

/** @param {string} url Without a path. @returns {{api: string, url: string}[]} What to enter as base URL. */
export function baseUrls(url) {
  const base = url.replace(/\/+$/, "");
  return [
    { api: "OpenAI", url: `${base}/v1` },
    { api: "Anthropic", url: base },
    { api: "Ollama", url: base },
  ];
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
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const isFound = (/** @type {Client} */ client) => {
    const text = [client.title, client.name, client.how, ...client.speaks.map(apiTitle)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const found = clients.filter(isFound);
  return GROUPS.map(({ kind, title }) => ({ title, clients: found.filter((client) => client.kind === kind) }))
    .filter((group) => group.clients.length > 0);
}

/**
 * @param {string} text Settings of a client. @param {Table["key"]} clientKey What stands for the key in them.
 * @param {string | null} key The key to insert; null: the placeholder stays.
 */
export function withKey(text, clientKey, key) {
  return clientKey === null || key === null ? text : text.replaceAll(clientKey.placeholder, () => key);
}

/**
 * @param {(string | null)[]} texts Settings and commands of a client. @param {Table["key"]} clientKey
 * @returns {string | null} The command that sets the variable in which they expect the key; null if they do not.
 */
export function variableCommand(texts, clientKey) {
  if (clientKey === null || !texts.some((text) => text?.includes(clientKey.variable))) return null;
  return `export ${clientKey.variable}='${clientKey.placeholder}'`;
}
