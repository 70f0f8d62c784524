/** Connect: how programs use this server, all of them or one. */

import { api, Badge, Button, Checkbox, connection, Copy, CopyText, counted, duration, Empty, ErrorNote, finished, html, Icon, key, link, Loading, Note, now, rate, running, SearchInput, SelectField, setQuery, signal, TextField, useEffect, useLoad, useRef, useSettled, useState } from "../../ui/kit.js";
import { apiTitle, baseUrls, groupsOf, isAddress, isLoopback, knownRequests, nextRequest, observeOn, variableCommand, withKey } from "./texts.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").ClientSettings} Client
 * @typedef {import("../../lib/api_types.js").ClientTable} Table
 * @typedef {import("../../lib/api_types.js").StoredRequest} Stored
 * @typedef {import("./texts.js").Observed} Observed
 * @typedef {{known: ReadonlySet<string>, endsAt: number, id: string | null}} Test Times are those of `performance.now()`.
 */

const SETTLED_MS = 300;
const LIMIT_S = 120;

/** The states of a step: their icons, and what they are called. */
const STEPS = /** @type {const} */ ({
  done: ["check", "done"],
  current: ["now", "now"],
  failed: ["close", "failed"],
  next: ["more", "not yet"],
});

/** The base URL of the server; at first the address of this page. */
const address = signal(location.origin);

/** Whether the key of this tab stands in the texts, in place of its placeholder. Another key is not shown unasked. */
export const isKeyShown = signal(false);
key.subscribe(() => { isKeyShown.value = false; });

/** @returns {string | null} The key to insert in texts. */
export function insertedKey() {
  return isKeyShown.value ? key.value : null;
}

/** @param {{rest: string, query: URLSearchParams}} props `rest`: the name of a client. */
export function Page({ rest, query }) {
  const models = useLoad(async (signal) => (await api.get("/gglib/models", { signal })).models, []);
  const model = query.get("model") ?? firstModel(models.value ?? []);
  const entered = useSettled(address.value, SETTLED_MS);
  const lastValid = useRef(location.origin);
  if (isAddress(entered)) lastValid.current = entered;
  const url = lastValid.current;
  const clients = useLoad(async (signal) => model && api.get("/gglib/clients", { query: { model, url }, signal }), [model, url]);
  const table = /** @type {Table | null} */ (clients.value || null);
  const client = table?.clients.find(({ name }) => name === rest);
  if (models.value?.length === 0) {
    return html`<${Head} /><${Empty} icon="models" title="There is no model yet">
      <p><a href="#/find">Find and download one</a>, or add a file: <code>gglib add FILE</code>.</p><//>`;
  }
  const error = models.error ?? clients.error;
  return html`<${Head} title=${client?.title ?? rest} model=${model} />
    <div class="stack">
      <${ErrorNote} error=${error} onRetry=${() => Promise.all([models.reload(), clients.reload()])} />
      ${models.value ? html`<${TargetForm} models=${models.value} model=${model} table=${table} />` : null}
      ${!table
        ? error ? null : html`<${Loading} />`
        : client
          ? html`<${ClientDetail} client=${client} table=${table} /><${TestRequest} key=${rest} title=${client.title} />`
          : rest
            ? html`<${Empty} icon="find" title="This program is not in the list"><p>Any program that speaks OpenAI's, Anthropic's or Ollama's API can <a href="#/connect">use a base URL</a>.</p><//>`
            : html`<div class="connect-top"><${AnyClient} table=${table} /><${TestRequest} title="the program" /></div><${ClientList} clients=${table.clients} model=${model} />`}
    </div>`;
}

/** @param {{title?: string, model?: string}} props */
function Head({ title, model }) {
  return html`<div class="page-head"><h1>${title ? html`<a class="connect-back" href=${link("connect", "", { model })}>Connect</a> <span aria-hidden="true">/</span> ${title}` : "Connect"}</h1></div>`;
}

/**
 * @param {readonly Model[]} models
 * @returns {string} The model that is chosen at first: one that is in memory, else the first one that chats.
 */
function firstModel(models) {
  const chatting = models.filter((model) => model.capabilities.includes("chat"));
  const first = chatting.find((model) => model.state === "ready") ?? chatting[0] ?? models[0];
  return first?.name ?? "";
}

/**
 * What programs are connected to: the address, the model, and whether the key of this tab is shown.
 * @param {{models: readonly Model[], model: string, table: Table | null}} props `model`: the chosen name.
 */
function TargetForm({ models, model, table }) {
  const url = address.value;
  const isValid = isAddress(url);
  const names = models.map(({ name }) => name);
  if (model && !names.includes(model)) names.unshift(model);
  return html`<section class="card connect-target" aria-label="What programs connect to">
    <div class="card-body stack">
      <div class="form-row">
        <${TextField} label="Address" value=${url} onInput=${(/** @type {string} */ text) => { address.value = text.trim(); }} type="url" spellcheck=${false} autocomplete="off"
          error=${isValid ? null : "An address without a path, such as http://192.168.1.2:8080."} />
        <${SelectField} label="Model" value=${model} options=${names.map((name) => ({ value: name, label: name }))} onChange=${(/** @type {string} */ name) => setQuery({ model: name })} />
      </div>
      ${isValid && isLoopback(url) ? html`<p class="hint">Only programs on the server's machine reach this address. For others, enter the machine's name or IP address in the network.</p>` : null}
      ${table ? html`<${KeyRule} clientKey=${table.key} />` : null}
    </div>
  </section>`;
}

/** @param {{clientKey: Table["key"]}} props */
function KeyRule({ clientKey }) {
  if (clientKey === null) {
    return html`<p class="hint">This server needs no access key. Where a program insists on one, enter any text, such as <code>gglib</code>.</p>`;
  }
  return html`<p class="hint">This server needs an access key: the texts below name the key <b>${clientKey.name}</b>. A key is shown only when it is made: <code>gglib key new NAME</code>.</p>
    ${key.value === null ? null : html`<${Checkbox} label="Insert the key of this tab" checked=${isKeyShown.value} onChange=${(/** @type {boolean} */ isShown) => { isKeyShown.value = isShown; }} />`}
    ${insertedKey() === null ? null : html`<${Note} tone="warn" icon="key">The key of this tab has admin rights, and is visible below. For a program, prefer a key of its own.<//>`}`;
}

/** What any program needs that speaks one of the APIs: the base URL, a name and a key. @param {{table: Table}} props */
function AnyClient({ table }) {
  const command = table.clients.find((client) => client.name === "curl")?.text ?? null;
  const lines = [variableCommand([command], table.key), command].filter((text) => text !== null);
  return html`<section class="card"><header><h2>Any program</h2></header>
    <div class="card-body stack">
      <dl class="connect-urls">
        ${baseUrls(table.url).map(({ api, url }) => html`<${Value} key=${api} title=${`Base URL, ${api}`} text=${url} />`)}
        <${Value} title="Model" text=${table.model} />
      </dl>
      ${command && html`<div class="stack small-gap"><h3>Try it in a terminal</h3><${CopyText} text=${withKey(lines.join("\n"), table.key, insertedKey())} label="Command for a terminal" /></div>`}
    </div>
  </section>`;
}

/** @param {{title: string, text: string}} props */
function Value({ title, text }) {
  return html`<dt>${title}</dt><dd><code>${text}</code><${Copy} text=${text} label=${`Copy: ${title}`} iconOnly /></dd>`;
}

/** All clients whose settings are known, by kind, with a search. @param {{clients: readonly Client[], model: string}} props */
function ClientList({ clients, model }) {
  const [search, setSearch] = useState("");
  const groups = groupsOf(clients, search);
  return html`<section class="stack" aria-labelledby="connect-clients">
    <div class="row"><h2 id="connect-clients">Programs</h2><span class="push"></span>
      <${SearchInput} label="Search programs" value=${search} onInput=${setSearch} /></div>
    ${groups.map(({ title, clients: found }) => html`<div class="stack small-gap" key=${title}>
      <h3 class="quiet">${title}</h3>
      <ul class="connect-grid">${found.map((client) => html`<li key=${client.name}><${ClientCard} client=${client} model=${model} /></li>`)}</ul>
    </div>`)}
    ${groups.length === 0 ? html`<p class="quiet" role="status">No program matches. Others can use the base URLs above.</p>` : null}
  </section>`;
}

/** @param {{client: Client, model: string}} props */
function ClientCard({ client: { name, title, speaks, how, verified }, model }) {
  return html`<a class="card connect-card" href=${link("connect", name, { model })}>
    <b>${title}</b>
    <span class="quiet small">${speaks.map(apiTitle).join(", ")}, ${how}</span>
    <span class="small">${verified ? html`<span class="connect-tested"><${Icon} name="check" />Tested with ${verified.version}</span>` : html`<span class="quiet">Not tested with gglib</span>`}</span>
  </a>`;
}

/** How one client connects: its settings with this address, model and key, and how it is started. @param {{client: Client, table: Table}} props */
function ClientDetail({ client, table }) {
  const { title, speaks, verified, note, launch, text, start } = client;
  const filled = (/** @type {string} */ value) => withKey(value, table.key, insertedKey());
  const part = (/** @type {string} */ heading, /** @type {unknown} */ hint, /** @type {string | null} */ value) => value
    && html`<div class="stack small-gap"><div><h3>${heading}</h3><p class="hint">${hint}</p></div><${CopyText} text=${filled(value)} label=${heading} /></div>`;
  return html`<section class="card" aria-label=${`Settings of ${title}`}>
    <header>
      <h2>Settings</h2>
      ${speaks.map((api) => html`<${Badge}>${apiTitle(api)}<//>`)}
      ${verified ? html`<${Badge} tone="ok">Tested with ${verified.version} on ${verified.date}<//>` : html`<${Badge}>Not tested with gglib<//>`}
    </header>
    <div class="card-body stack">
      ${note ? html`<${Note} icon="warn">${filled(note)}<//>` : null}
      ${part("Start it with gglib", "On the server's machine; the program's own files stay as they are.", launch)}
      ${part("Set the key", "In a terminal: the settings below read the key from this variable.", variableCommand([text, start, note], table.key))}
      ${part(launch ? "Or set it up" : "Set it up", whereOf(client), text)}
      ${part("Start it", "In a terminal.", start)}
    </div>
  </section>`;
}

/** @param {Client} client */
function whereOf({ where, file }) {
  if (file?.path === where) return html`In the file <code>${where}</code>.`;
  const place = `${where.slice(0, 1).toUpperCase()}${where.slice(1)}.`;
  return file ? html`${place} Its file for lasting settings is <code>${file.path}</code>.` : place;
}

/** Watches for the next request of a client, to see that it is connected. @param {{title: string}} props `title`: the client that is expected. */
function TestRequest({ title }) {
  const [test, setTest] = useState(/** @type {Test | null} */ (null));
  const seen = { running: running.value, finished: finished.value };
  const id = test && (test.id ?? nextRequest(test.known, seen));
  useEffect(() => {
    if (test && test.id !== id) setTest({ ...test, id });
  }, [id]);
  const observed = useRef(/** @type {Observed | null} */ (null));
  observed.current = id === null ? null : observeOn(observed.current, id, seen);
  const leftS = test ? (test.endsAt - now.value) / 1000 : 0;
  const start = () => setTest({ known: knownRequests(seen), endsAt: performance.now() + LIMIT_S * 1000, id: null });
  const isOpen = test && id === null && leftS > 0;
  return html`<section class="card">
    <header><h2>Test the connection</h2>
      ${isOpen
        ? html`<${Button} small onClick=${() => setTest(null)}>Stop<//>`
        : html`<${Button} small kind=${test ? "plain" : "primary"} disabled=${connection.value !== "live"} onClick=${start}>${test ? "Test again" : "Start the test"}<//>`}
    </header>
    <div class="card-body" aria-live="polite">
      ${test === null
        ? html`<p class="quiet">Start the test, then send a request with ${title}. The next request that reaches the server is shown here.</p>`
        : isOpen
          ? html`<div class="row"><progress class="connect-wait" aria-label="Waiting for a request"></progress>
            <span>Send a request with ${title} now. Waiting for it<span aria-hidden="true">, ${duration(Math.ceil(Math.min(LIMIT_S, leftS)))} left</span>.</span></div>`
          : id === null
            ? html`<div class="stack small-gap"><p><${Badge} tone="warn">No request came<//></p>
              <p class="quiet">Check the address and the port in the program, and that it runs where this address is reachable. A request with a wrong key or host is refused: <a href="#/logs">the log</a> shows it.</p></div>`
            : html`<${Result} observed=${observed.current} />`}
    </div>
  </section>`;
}

/** @param {{observed: Observed | null}} props */
function Result({ observed }) {
  if (observed === null) return html`<p class="quiet">The request arrived, but the server no longer has it: it may have been restarted.</p>`;
  const { stage, stored, client, model, id } = observed;
  const request = stored ?? observed.running;
  const waitedS = request?.waited_s ?? null;
  const isFailed = stage === "failed";
  const load = stage === "waiting" ? "current" : isFailed && waitedS === null ? "failed" : "done";
  const ready = stage === "waiting" || waitedS === null ? "" : waitedS < 0.1 ? " was ready" : `, ready after ${duration(waitedS)}`;
  return html`<ol class="connect-steps">
      <${Step} state="done">Arrived${client ? html` from <b>${client}</b>` : ""}<//>
      <${Step} state=${load}>${stage === "waiting" ? "Waiting for " : ""}${model ?? request?.requested_model ?? "the model"}${ready}<//>
      <${Step} state=${stored ? (isFailed ? "failed" : "done") : stage === "answering" ? "current" : "next"}>
        ${stored ? outcome(stored) : stage === "answering" ? "Answering" : "Answer"}<//>
    </ol>
    ${stored ? html`<p><a href=${link("requests", id)}>Show this request</a></p>` : null}`;
}

/** @param {Stored} stored */
function outcome({ status, error, error_message: message, duration_s: seconds, completion_tokens: tokens, tokens_per_s: speed }) {
  if (error !== null || (status ?? 500) >= 400) return `Failed${status ? ` with status ${status}` : ""}: ${message ?? error ?? "no response"}`;
  return `Answered with status ${status} in ${duration(seconds)}${tokens === null ? "" : `, ${counted(tokens, "token")}`}${speed === null ? "" : ` at ${rate(speed)}`}`;
}

/** @param {{state: keyof typeof STEPS, children?: unknown}} props */
function Step({ state, children }) {
  const [icon, word] = STEPS[state];
  return html`<li class=${state}><${Icon} name=${icon} label=${word} /><span>${children}</span></li>`;
}
