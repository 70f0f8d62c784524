/** When and where a request went: its parts of time, and all that is known of it. */

import { Bar, Copy, count, dateTime, duration, html, link, percent, rate } from "../../ui/kit.js";
import { phases } from "./facts.js";
import { NONE } from "./filters.js";

/**
 * @typedef {import("../../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../../lib/api_types.js").RunningRequest} RunningRequest
 */

/** @param {{request: StoredRequest}} props */
export function Timeline({ request }) {
  const parts = phases(request);
  const described = parts.map(({ name, seconds }) => `${name}: ${duration(seconds)}`);
  return html`<figure class="timeline">
    <${Bar} total=${request.duration_s} label=${`${duration(request.duration_s)} in all. ${described.join(", ")}`}
      parts=${parts.map((part, index) => ({ size: part.seconds, tone: part.tone, label: described[index] }))} />
    <figcaption>${parts.map(({ name, seconds, tone }) => html`<span><span class=${`bar-part swatch ${tone}`} aria-hidden="true"></span>${name} <strong>${duration(seconds)}</strong></span>`)}
      <span class="push">Total <strong>${duration(request.duration_s)}</strong></span></figcaption>
  </figure>`;
}

/** @param {{request: StoredRequest | RunningRequest, query?: Record<string, string>}} props With `query`, names are links that filter the list by them. */
export function Facts({ request, query }) {
  const stored = "ended_at_s" in request ? request : null;
  const filter = (/** @type {"model" | "client" | "key"} */ field) => {
    const name = request[field];
    return query === undefined ? name : html`<a href=${link("requests", "", { ...query, [field]: name ?? NONE })}>${name ?? "unknown"}</a>`;
  };
  /** @type {[string, unknown][]} */
  const facts = [
    ["Ended", stored && dateTime(stored.ended_at_s)],
    ["Route", `${request.route}${request.is_streamed ? ", streamed" : ""}`],
    ["Model", request.model && filter("model")],
    ["Requested as", request.requested_model],
    ["Profile", request.profile],
    ["Client", request.client && filter("client")],
    ["Address", request.address],
    ["Key", request.key && filter("key")],
    ["Machine", stored?.node],
    ["Swap", stored?.swap && `${stored.swap.replace(/^-> /, "loaded ").replace(" -> ", " → ")}`],
    ["Prompt", stored && stored.prompt_tokens !== null && `${count(stored.prompt_tokens)} tokens${cached(stored)}`],
    ["Response", tokens(request)],
    ["Stands for", stored && stored.count > 1 && `${count(stored.count)} requests in the same second: times are means, tokens are sums`],
    ["Number", stored?.id],
  ];
  return html`<dl class="facts">
    ${facts.filter(([, value]) => value || value === 0).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
    <dt>Request id</dt><dd class="row id-row"><code>${request.request_id}</code><${Copy} text=${request.request_id} label="Copy the request id" iconOnly /></dd>
  </dl>`;
}

/** @param {StoredRequest} request */
function cached({ prompt_tokens: prompt, cached_tokens: reused }) {
  return reused === null || !prompt ? "" : `, ${count(reused)} of them cached (${percent(reused / prompt).replace(" ", "\u00a0")})`;
}

/** @param {StoredRequest | RunningRequest} request */
function tokens(request) {
  if (!("ended_at_s" in request)) return request.chunks > 0 && `${count(request.chunks)} parts so far`;
  if (request.completion_tokens === null) return null;
  return `${count(request.completion_tokens)} tokens${request.tokens_per_s === null ? "" : `, ${rate(request.tokens_per_s).replace(" /s", " tokens/s")}`}`;
}
