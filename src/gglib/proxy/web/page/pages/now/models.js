/** The models in memory: their cards, the choice of one to load, and what is done with them: load, unload, pin. */

import { api, Badge, Bar, Button, bytes, computed, confirmDialog, count, counted, deviceTitle, Dialog, duration, Empty, ErrorNote, html, IconButton, link, Loading, now, Progress, rate, SearchInput, segment, SelectField, status, statusAt, TextField, toast, useLoad, useState } from "../../ui/kit.js";
import { byName, counting, rates, secondsSince } from "./figures.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").ResidentStatus} Resident
 */

/** How many colours there are for models: `--series-1` and further ones. */
export const COLOURS = 8;
/** How many models can be chosen from at once. */
export const MOST_SHOWN = 100;
/** @type {Record<string, "ok" | "busy" | "warn">} */
const TONES = { ready: "ok", loading: "busy", draining: "warn", stopping: "warn" };

/** @type {Map<number, number>} */
let lastColours = new Map();

/** The colour (1 to 8) by the id of a model, the same in the bars and the cards. */
export const colours = computed(() => {
  lastColours = assignColours(lastColours, (status.value?.residents ?? []).map((resident) => resident.model_id));
  return lastColours;
});

/** @returns {number} Seconds since the snapshot. */
export function sinceStatus() {
  return secondsSince(now.value, statusAt.value);
}

/**
 * @param {ReadonlyMap<number, number>} before The colour (1 to 8) of each model, by id.
 * @param {readonly number[]} ids The models in memory now.
 * @returns {Map<number, number>} A model keeps its colour as long as it is in memory.
 */
export function assignColours(before, ids) {
  /** @type {Map<number, number>} */
  const colours = new Map([...before].filter(([id]) => ids.includes(id)));
  const all = Array.from({ length: COLOURS }, (_, index) => index + 1);
  for (const id of ids) {
    const taken = [...colours.values()];
    if (!colours.has(id)) colours.set(id, all.find((colour) => !taken.includes(colour)) ?? (taken.length % COLOURS) + 1);
  }
  return colours;
}

/** @param {Readonly<Record<string, number>> | undefined} sizes @returns {number | null} The sum over all devices; null if unknown. */
export function sumOf(sizes) {
  const values = Object.values(sizes ?? {});
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/**
 * @param {Resident} resident @param {number} since Seconds since the snapshot.
 * @returns {{fraction: number | null, text: string} | null} How far a load is; null if the model does not load.
 */
export function loadProgress({ state, loading_for_s: forS, expected_load_s: whole }, since) {
  if (state !== "loading") return null;
  const soFar = (forS ?? 0) + since;
  if (!whole) return { fraction: null, text: `for ${counting(soFar)}` };
  // A load that takes longer than expected is not over: the bar stays short of its end.
  return { fraction: Math.min(0.97, soFar / whole), text: `${counting(soFar)} of about ${counting(whole)}` };
}

/** @param {Resident} resident @param {number} since Seconds since the snapshot. @returns {string} When an idle model is unloaded. */
export function unloadsText({ is_pinned: isPinned, idle_ttl_s: limit = null, idle_s: idle = null }, since) {
  if (isPinned) return "pinned";
  if (limit === null) return "no idle limit";
  return idle === null ? `after ${counting(limit)} idle` : `in ${counting(limit - idle - since)}`;
}

/**
 * @param {readonly Model[]} models @param {string} text Words that a name or an alias contains, in any order.
 * @returns {{shown: Model[], more: number}} By name, and how many others match.
 */
export function matching(models, text) {
  const words = text.toLowerCase().split(/\s+/);
  const found = models.filter(({ name, aliases }) => {
    const names = [name, ...aliases].join(" ").toLowerCase();
    return words.every((word) => names.includes(word));
  }).sort((one, other) => byName(one.name, other.name));
  return { shown: found.slice(0, MOST_SHOWN), more: Math.max(0, found.length - MOST_SHOWN) };
}

/**
 * Load a model. Its progress is shown with the models in memory, so that nothing waits for the end.
 * @param {string} model @param {number | null} [context] In tokens. @param {string} [node] "": the server chooses.
 */
export function load(model, context = null, node = "") {
  const body = { ...(context === null ? {} : { num_ctx: context }), ...(node === "" ? {} : { node }) };
  api.post(`/gglib/models/${segment(model)}/load`, body).then(
    () => toast(`${model} is loaded.`, "success"),
    (error) => toast(error.message, "error"),
  );
}

/** Unload all models, after a question. @param {readonly Resident[]} residents */
export async function unloadAll(residents) {
  const busy = residents.reduce((sum, resident) => sum + resident.in_flight, 0);
  const text = html`<p>This unloads ${residents.map((resident) => resident.model_name).join(", ")}.</p>
    ${busy > 0 && html`<p>${counted(busy, "request")} in flight ${cutOffText(busy)}</p>`}
    <p>The next request to a model loads it again.</p>`;
  if (!(await confirmDialog({ title: "Unload all models?", text, action: "Unload all", danger: true }))) return;
  const { stopped } = await api.post("/gglib/stop");
  toast(`${counted(stopped.length, "model")} unloaded.`);
}

/** Unload a model, after a question if it serves requests. @param {Resident} resident */
async function unload({ model_name: model, in_flight: busy }) {
  const text = `It serves ${counted(busy, "request")}, which ${cutOffText(busy)}`;
  if (busy > 0 && !(await confirmDialog({ title: `Unload ${model}?`, text, action: "Unload", danger: true }))) return;
  const { stopped } = await api.post(`/gglib/models/${segment(model)}/unload`);
  toast(`${model} ${stopped.length > 0 ? "is unloaded" : "was not in memory"}.`);
}

/** @param {number} busy Requests in flight. */
function cutOffText(busy) {
  return `can go on for the drain time of the server and ${busy === 1 ? "is" : "are"} then cut off.`;
}

/** Pin or unpin a model. @param {Resident} resident */
async function togglePin({ model_name: model, is_pinned: isPinned }) {
  await api.post(`/gglib/models/${segment(model)}/${isPinned ? "unpin" : "pin"}`);
  toast(`${model} is ${isPinned ? "not pinned any more." : "pinned: models that do not fit beside it are refused."}`);
}

/** @param {{onLoad: () => void}} props */
export function Residents({ onLoad }) {
  const residents = status.value?.residents ?? [];
  if (residents.length > 0) return html`<ul class="residents">${residents.map((resident) => html`<${Card} key=${resident.model_id} resident=${resident} />`)}</ul>`;
  return html`<div class="card"><${Empty} icon="models" title="No model is in memory">
    <p>The first request to a model loads it: <a href=${link("connect")}>connect a program</a>, or load one now.</p>
    <${Button} kind="primary" icon="load" onClick=${onLoad}>Load a model<//>
  <//></div>`;
}

/** @param {{resident: Resident}} props */
function Card({ resident }) {
  const name = resident.model_name;
  const isLeaving = resident.state === "stopping" || resident.state === "draining";
  return html`<li class="card resident">
    <div class="resident-head">
      <i class=${`swatch bar-part s${colours.value.get(resident.model_id) ?? 1}`} aria-hidden="true"></i>
      <h3 class="break"><a href=${link("models", name)}>${name}</a></h3>
      <span class="resident-actions">
        <${IconButton} icon="pin" label=${`Pin ${name}`} isPressed=${resident.is_pinned} onClick=${() => togglePin(resident)} />
        <${IconButton} icon="unload" label=${`Unload ${name}`} disabled=${isLeaving} onClick=${() => unload(resident)} />
      </span>
    </div>
    <${Work} resident=${resident} />
    <${Facts} resident=${resident} />
  </li>`;
}

/** The load of a model, or what it serves, at the same height. @param {{resident: Resident}} props */
function Work({ resident }) {
  const { in_flight: busy, slots, state } = resident;
  const progress = state === "loading" ? loadProgress(resident, sinceStatus()) : null;
  const text = progress?.text ?? `${count(busy)} in flight${slots === null ? "" : `, ${counted(slots, "slot")}`}`;
  return html`<div class="work"><span><${Badge} tone=${TONES[state]}>${state}<//>${text}</span>
    ${progress ? html`<${Progress} value=${progress.fraction} label=${`Load of ${resident.model_name}`} />`
      : html`<${Bar} total=${Math.max(slots ?? busy, busy, 1)} label=${text} parts=${[{ size: busy, tone: busy > (slots ?? busy) ? "over" : "", label: text }]} mark=${slots !== null && busy > slots ? slots : undefined} />`}
  </div>`;
}

/** @param {{resident: Resident}} props */
function Facts({ resident }) {
  const since = sinceStatus();
  const own = rates.value.byModel.get(resident.model_name);
  const { uptime_s: uptime } = resident;
  return html`<dl class="resident-facts">
    <div><dt>Tokens</dt><dd>${rate(own?.tokens)}</dd></div>
    <div><dt>Requests</dt><dd>${rate(own?.requests)}</dd></div>
    <div><dt>Memory</dt><dd>${bytes(sumOf(resident.size))}</dd></div>
    <div><dt>Context</dt><dd>${count(resident.effective_ctx)}</dd></div>
    <div class="wide"><dt>Unloads</dt><dd>${unloadsText(resident, since)}</dd></div>
  </dl>
  <details class="small"><summary>Details<span class="visually-hidden"> of ${resident.model_name}</span></summary>
    <dl class="facts">
      <dt>Ready for</dt><dd>${counting(typeof uptime === "number" ? uptime + since : null)}</dd>
      <dt>Load took</dt><dd>${duration(resident.load_time_s)}</dd>
      <dt>Measured</dt><dd>${sizesText(resident.measured_size)}</dd>
      <dt>Estimated</dt><dd>${sizesText(resident.estimated_size)}</dd>
      <dt>Threads</dt><dd>${resident.threads ?? "–"}</dd>
      <dt>Process</dt><dd>${resident.pid ?? "–"}</dd>
    </dl>
  </details>`;
}

/** @param {Record<string, number> | undefined} sizes By device. */
function sizesText(sizes = {}) {
  return Object.entries(sizes).map(([device, size]) => `${bytes(size)} ${deviceTitle(device)}`).join(", ") || "–";
}

/** Chooses a model of the catalogue to load. @param {{onClose: () => void}} props */
export function LoadDialog({ onClose }) {
  const { value, error, reload, isLoading } = useLoad(async (signal) => /** @type {Model[]} */ ((await api.get("/gglib/models", { signal })).models), []);
  const [chosen, setChosen] = useState("");
  const [context, setContext] = useState("");
  const [node, setNode] = useState("");
  const places = value?.find((model) => model.name === chosen)?.nodes.map((copy) => copy.node) ?? [];
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    load(chosen, context === "" ? null : Number(context), places.includes(node) ? node : "");
    onClose();
  };
  return html`<${Dialog} title="Load a model" onClose=${onClose}>
    <form class="form load-form" onSubmit=${submit}>
      <${ErrorNote} error=${error} onRetry=${reload} />
      ${value === null && isLoading && html`<${Loading} label="Loading the catalogue" />`}
      ${value?.length === 0 && html`<${Empty} icon="models" title="The catalogue is empty">
        <p><a href=${link("find")}>Find a model</a>, or add a file with <code>gglib add FILE.gguf</code>.</p>
      <//>`}
      ${value && value.length > 0 && html`
        <${Choice} models=${value} chosen=${chosen} onChoose=${setChosen} />
        <${TextField} label="Context in tokens" type="number" min="1" step="1" placeholder="the model's default" value=${context} onInput=${setContext}
          hint="The load makes room if it has to: idle models are unloaded first." />
        ${places.length > 1 && html`<${SelectField} label="Node" value=${places.includes(node) ? node : ""} onChange=${setNode}
          options=${[{ value: "", label: "this machine, if it has the model" }, ...places.map((place) => ({ value: place, label: place }))]} />`}
        <div class="form-actions">
          <${Button} onClick=${onClose}>Cancel<//>
          <${Button} kind="primary" type="submit" icon="load" disabled=${chosen === ""}>Load<//>
        </div>`}
    </form>
  <//>`;
}

/** @param {{models: readonly Model[], chosen: string, onChoose: (name: string) => void}} props */
function Choice({ models, chosen, onChoose }) {
  const [text, setText] = useState("");
  const { shown, more } = matching(models, text);
  const filter = (/** @type {string} */ entered) => {
    setText(entered);
    // None is chosen out of view.
    if (!matching(models, entered).shown.some((model) => model.name === chosen)) onChoose("");
  };
  const states = new Map((status.value?.residents ?? []).map((resident) => [resident.model_id, resident.state]));
  return html`
    <${SearchInput} label="Filter models" value=${text} onInput=${filter} />
    <fieldset class="load-choice"><legend class="visually-hidden">Model</legend>
      ${shown.map(({ id, name, size_bytes: size }) => html`<label key=${id}>
        <input type="radio" name="model" value=${name} checked=${name === chosen} onChange=${() => onChoose(name)} />
        <span class="clip">${name}</span>
        ${states.has(id) && html`<${Badge} tone="ok">${states.get(id)}<//>`}
        <span class="figure small quiet">${bytes(size)}</span>
      </label>`)}
      ${shown.length === 0 && html`<p class="quiet">No model has this name.</p>`}
      ${more > 0 && html`<p class="quiet small">and ${count(more)} more: type a part of the name.</p>`}
    </fieldset>`;
}
