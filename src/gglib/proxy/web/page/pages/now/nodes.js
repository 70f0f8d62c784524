/** The nodes of the server: state, models in memory, memory and queue of each, and the names that mean different files. */

import { nodes } from "../../state/nodes.js";
import { Badge, Bar, bytes, Copy, count, counted, html, Icon, link, Note } from "../../ui/kit.js";
import { deviceBars } from "./figures.js";
import { answers, catalogueText, coloursOf, failureText, placeText, TONES, workText } from "./node_facts.js";

/**
 * @typedef {import("../../lib/api_types.js").Node} Node
 * @typedef {import("../../lib/api_types.js").Nodes} Nodes
 * @typedef {import("./figures.js").DeviceBar} DeviceBar
 */

export function NodesCard() {
  const { nodes: all, conflicts } = nodes.value;
  const unusable = all.filter((node) => node.failure !== null);
  return html`<section class="card nodes" aria-labelledby="nodes-title">
    <header><h2 id="nodes-title">Nodes</h2><span class="small quiet">${counted(all.length, "machine")}</span></header>
    <p class="visually-hidden" role="status">${unusable.map((node) => `${node.name} is ${node.state}`).join(", ")}</p>
    ${conflicts.length > 0 && html`<div class="card-body stack">${conflicts.map((conflict) => html`<${Conflict} key=${conflict.name} conflict=${conflict} />`)}</div>`}
    <ul class="node-list">${all.map((node) => html`<${Item} key=${node.name} node=${node} />`)}</ul>
  </section>`;
}

/** @param {{conflict: Nodes["conflicts"][number]}} props */
function Conflict({ conflict: { message, command } }) {
  return html`<${Note} tone="warn" icon="warn">${message} <${Copy} text=${command} label=${`Copy: ${command}`} iconOnly /><//>`;
}

/** @param {{node: Node}} props */
function Item({ node }) {
  const { name, state, requests, is_own: isOwn } = node;
  const failure = failureText(node);
  return html`<li class="node">
    <div class="node-head"><h3 class="break">${name}</h3><${Badge} tone=${TONES[state]}>${state}<//>
      <span class="small quiet break">${placeText(node)}</span></div>
    <${InMemory} node=${node} />
    <div class="node-memory">${deviceBars(node, coloursOf(node)).map((bar) => html`<${Device} key=${bar.device} bar=${bar} node=${name} />`)}</div>
    <div class="node-work">${answers(node) && html`<span>${workText(node)}</span>`}
      ${!isOwn && requests > 0 && html` <span class="small quiet">${count(requests)} from here</span>`}</div>
    ${failure && html`<p class="node-failure small break"><${Icon} name="warn" />${failure}</p>`}
  </li>`;
}

/** The models in memory, with the colours of the bars. @param {{node: Node}} props */
function InMemory({ node }) {
  const colours = coloursOf(node);
  return html`<div class="node-models">
    ${node.residents.length > 0 && html`<ul aria-label=${`In the memory of ${node.name}`}>${node.residents.map(({ model_id: id, model_name: model, state }) => html`<li key=${id}>
      <i class=${`swatch bar-part s${colours.get(id) ?? 1}`} aria-hidden="true"></i><a class="break" href=${link("models", model)}>${model}</a>
      ${state !== "ready" && html` <span class="small quiet">${state}</span>`}</li>`)}</ul>`}
    <span class="small quiet">${catalogueText(node)}</span>
  </div>`;
}

/** @param {{bar: DeviceBar, node: string}} props */
function Device({ bar: { title, total, free, other, limit, models, isTotalKnown }, node }) {
  const parts = models.map(({ name, size, colour }) => ({ size, tone: `s${colour}`, label: `${name}: ${bytes(size)}` }));
  parts.push({ size: other, tone: "other", label: `Other programs: ${bytes(other)}` });
  const text = free === null ? title : `${title}: ${bytes(free)} free${isTotalKnown ? ` of ${bytes(total)}` : ""}`;
  return html`<div><span class="small quiet">${text}</span><${Bar} total=${total} parts=${parts} mark=${limit ?? undefined} label=${`${node}, ${text}`} /></div>`;
}
