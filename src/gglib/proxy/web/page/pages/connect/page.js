/** Connect: how programs use this server. */

import { api, Empty, ErrorNote, html, link, Loading, useLoad, useRef, useSettled } from "../../ui/kit.js";
import { AnyClient } from "./any_client.js";
import { ClientDetail } from "./client_detail.js";
import { ClientList } from "./client_list.js";
import { TargetForm, address } from "./target.js";
import { TestRequest } from "./test_request.js";
import { isAddress } from "./texts.js";

const SETTLED_MS = 300;

/** @param {{rest: string, query: URLSearchParams}} props `rest`: the name of a client. */
export function Page({ rest, query }) {
  const models = useLoad(async (signal) => (await api.get("/gglib/models", { signal })).models, []);
  const chosen = query.get("model") ?? firstModel(models.value ?? []);
  const entered = useSettled(address.value, SETTLED_MS);
  const lastValid = useRef(location.origin);
  if (isAddress(entered)) lastValid.current = entered;
  const url = lastValid.current;
  const clients = useLoad((signal) => readClients(chosen, url, signal), [chosen, url]);
  const table = clients.value;
  const client = rest === "" ? null : table?.clients.find(({ name }) => name === rest) ?? null;
  if (models.value?.length === 0) return html`<${Head} /><${NoModels} />`;
  const error = models.error ?? clients.error;
  return html`<${Head} title=${client?.title ?? rest} model=${chosen} />
    <div class="stack">
      <${ErrorNote} error=${error} onRetry=${() => Promise.all([models.reload(), clients.reload()])} />
      ${models.value ? html`<${TargetForm} models=${models.value} model=${chosen} table=${table} />` : null}
      ${table === null ? error ? null : html`<${Loading} label="Loading" />` : null}
      ${table !== null && rest === "" ? html`<div class="connect-top"><${AnyClient} table=${table} /><${TestRequest} title="the program" /></div><${ClientList} clients=${table.clients} model=${chosen} />` : null}
      ${table !== null && client !== null ? html`<${ClientDetail} client=${client} table=${table} /><${TestRequest} key=${client.name} title=${client.title} />` : null}
      ${table !== null && rest !== "" && client === null ? html`<${Empty} icon="find" title="This program is not in the list"><p>Any program that speaks OpenAI's, Anthropic's or Ollama's API can <a href="#/connect">use a base URL</a>.</p><//>` : null}
    </div>`;
}

/** @param {{title?: string, model?: string}} props */
function Head({ title = "", model = "" }) {
  if (title === "") return html`<div class="page-head"><h1>Connect</h1></div>`;
  return html`<div class="page-head"><h1><a class="connect-back" href=${link("connect", "", { model })}>Connect</a> <span aria-hidden="true">/</span> ${title}</h1></div>`;
}

function NoModels() {
  return html`<${Empty} icon="models" title="There is no model yet">
    <p>Programs use a model by its name. <a href="#/find">Find and download one</a>, or add a file: <code>gglib add FILE</code>.</p><//>`;
}

/**
 * @param {readonly import("../../lib/api_types.js").Model[]} models
 * @returns {string} The model that is chosen at first: one that is in memory, else the first one that chats.
 */
function firstModel(models) {
  const chatting = models.filter((model) => model.capabilities.includes("chat"));
  const first = chatting.find((model) => model.state === "ready") ?? chatting[0] ?? models[0];
  return first?.name ?? "";
}

/** @param {string} model @param {string} url @param {AbortSignal} signal @returns {Promise<import("../../lib/api_types.js").ClientTable | null>} */
async function readClients(model, url, signal) {
  return model === "" ? null : api.get("/gglib/clients", { query: { model, url }, signal });
}
