/** The requests that wait, by model, and those in flight. */

import { Badge, count, counted, html, IconButton, link, now, rate, running, status, statusAt } from "../../ui/kit.js";
import { cancel } from "./actions.js";
import { rates } from "./derived.js";
import { clientText, queueGroups, runsInText, waitsForText } from "./queue.js";
import { counting, secondsSince } from "./times.js";

/** @typedef {import("./queue.js").Request} Request */

const MOST_SHOWN = 50;

export function QueueCard() {
  const groups = queueGroups(status.value?.waiting ?? [], running.value);
  return html`<section class="card queue" aria-labelledby="queue-title">
    <header><h2 id="queue-title">Queue</h2></header>
    ${groups.length === 0 ? html`<p class="card-body quiet">No request waits for a model.</p>` : null}
    ${groups.map((group) => html`<${Waiting} key=${group.model} group=${group} />`)}
  </section>`;
}

/** @param {{group: import("./queue.js").Group}} props */
function Waiting({ group }) {
  const since = secondsSince(now.value, statusAt.value);
  return html`<div class="queue-group">
    <div class="queue-head">
      <h3 class="break"><a href=${link("models", group.model)}>${group.model}</a></h3>
      <${Badge} tone="warn">${group.waiting} waiting<//>
    </div>
    <dl class="queue-facts">
      <div><dt>Runs in</dt><dd>${runsInText(group, since)}</dd></div>
      <div><dt>Longest</dt><dd>${counting(group.longest + since)}</dd></div>
      <div><dt>Waits for</dt><dd>${waitsForText(group)}</dd></div>
    </dl>
    ${group.requests.length > 0 ? html`<${RequestRows} requests=${group.requests} label=${`Requests that wait for ${group.model}`} />` : null}
  </div>`;
}

export function InFlightCard() {
  const requests = running.value.filter((request) => request.state !== "waiting");
  return html`<section class="card in-flight" aria-labelledby="in-flight-title">
    <header><h2 id="in-flight-title">In flight</h2><span class="small quiet">${counted(requests.length, "request")}</span></header>
    ${requests.length === 0
      ? html`<p class="card-body quiet">No request is served now. <a href=${link("requests")}>Earlier requests</a></p>`
      : html`<div class="in-flight-rows" tabindex="0" role="group" aria-label="Requests in flight"><${RequestRows} requests=${requests} label="Requests in flight" isServed /></div>`}
  </section>`;
}

/** @param {{requests: readonly Request[], label: string, isServed?: boolean}} props `isServed`: with the model and the tokens so far. */
function RequestRows({ requests, label, isServed = false }) {
  const more = requests.length - MOST_SHOWN;
  return html`<table class="request-rows" aria-label=${label}>
      <thead><tr>
        <th scope="col">${isServed ? "Model and client" : html`<span class="visually-hidden">Client</span>`}</th>
        ${isServed ? html`<th scope="col" class="number">Tokens</th><th scope="col" class="number per-second">Per second</th>` : null}
        <th scope="col" class="number age">${isServed ? "Age" : html`<span class="visually-hidden">Age</span>`}</th>
        <th scope="col" class="end"><span class="visually-hidden">Cancel</span></th>
      </tr></thead>
      <tbody>${requests.slice(0, MOST_SHOWN).map((request) => html`<${Row} key=${request.request_id} request=${request} isServed=${isServed} />`)}</tbody>
    </table>
    ${more > 0 ? html`<p class="small quiet more">and ${count(more)} more: <a href=${link("requests")}>all requests</a></p>` : null}`;
}

/** @param {{request: Request, isServed: boolean}} props */
function Row({ request, isServed }) {
  const client = clientText(request);
  const speed = rates.value.byRequest.get(request.request_id) ?? 0;
  const by = [isServed ? client : null, request.key === null ? null : `key ${request.key}`].filter((text) => text !== null).join(", ");
  return html`<tr>
    <td class="who"><a class="break" href=${link("requests", request.request_id)}>${isServed ? request.model ?? request.route : client}</a>
      ${by ? html`<span class="break small quiet">${by}</span>` : null}</td>
    ${isServed ? html`<td class="number">${count(request.chunks)}</td><td class="number per-second">${speed > 0 ? rate(speed) : "–"}</td>` : null}
    <td class="number age">${counting(request.age_s + secondsSince(now.value, request.seenAt))}</td>
    <td class="end"><${IconButton} icon="close" label=${`Cancel the request of ${client}`} onClick=${() => cancel(request, client)} /></td>
  </tr>`;
}
