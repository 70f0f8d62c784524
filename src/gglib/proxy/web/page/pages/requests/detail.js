/** The details of one request, beside the list or in its place. */

import { api, Badge, Button, confirmDialog, Copy, Elapsed, ErrorNote, html, IconButton, Loading, running, segment, toast, useEffect, useLoad, useRef } from "../../ui/kit.js";
import { Bodies } from "./bodies.js";
import { curlCommand } from "./curl.js";
import { Facts, Timeline } from "./detail_facts.js";
import { modelName, statusBadge } from "./facts.js";
import { Replay } from "./replay_view.js";
import { replayable } from "./replay.js";

/**
 * @typedef {import("../../lib/api_types.js").RequestDetails} RequestDetails
 * @typedef {import("../../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../../lib/api_types.js").RunningRequest & {seenAt: number}} Running
 */

/** @param {{id: string, query: Record<string, string>, onClose: () => void}} props `query`: the filters of the list, which links keep. */
export function RequestDetail({ id, query, onClose }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const live = running.value.find((request) => request.request_id === id) ?? null;
  const { value, error, isLoading, reload } = useLoad((signal) => api.get(`/gglib/requests/${segment(id)}`, { signal }), [id, live === null]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [id]);
  const details = /** @type {RequestDetails | null} */ (value);
  const found = details?.request ?? null;
  const stored = found !== null && (String(found.id) === id || found.request_id === id) ? found : null; // else that of the id before
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && !event.defaultPrevented) onClose();
  };
  return html`<section class="card request-detail" aria-label="Details of the request" onKeyDown=${onKeyDown}>
    <header><h2 tabindex="-1" ref=${heading} class="clip">${live ? modelName(live) : stored ? modelName(stored) : "Request"}</h2>
      <${IconButton} icon="close" label="Close the details" onClick=${onClose} /></header>
    <div class="card-body stack">
      ${error && !isLoading && live === null ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : null}
      ${live ? html`<${Progress} request=${live} />` : null}
      ${!live && stored ? html`<${Finished} key=${id} request=${stored} bodies=${details?.bodies ?? null} query=${query} />` : null}
      ${!live && !stored && !error ? html`<${Loading} label="Loading the request" />` : null}
    </div>
  </section>`;
}

/** @param {{request: Running}} props */
function Progress({ request }) {
  const cancel = async () => {
    const isConfirmed = await confirmDialog({
      title: "Cancel this request?",
      text: `Its client${request.client ? ` (${request.client})` : ""} gets the error request_cancelled, and the model stops computing.`,
      action: "Cancel the request",
      danger: true,
    });
    if (!isConfirmed) return;
    await api.del(`/gglib/requests/${segment(request.request_id)}`);
    toast("The request was cancelled.", "success");
  };
  return html`<div class="row"><${Badge} tone="busy">${request.state}<//>
      <span>since <${Elapsed} seconds=${request.age_s} since=${request.seenAt} /></span>
      <span class="push"></span><${Button} kind="danger" small icon="stop" onClick=${cancel}>Cancel the request<//></div>
    <${Facts} request=${request} />`;
}

/** @param {{request: StoredRequest, bodies: RequestDetails["bodies"], query: Record<string, string>}} props */
function Finished({ request, bodies, query }) {
  const { tone, text } = statusBadge(request);
  const replay = replayable(request, bodies);
  const curl = curlCommand(request, replay.body, location.origin);
  return html`<div class="row"><${Badge} tone=${tone}>${text}<//>
      ${request.error ? html`<code>${request.error}</code>` : null}
      <span class="push"></span>${curl ? html`<${Copy} text=${curl} label="Copy as curl" />` : null}</div>
    ${request.error_message ? html`<${ErrorNote} error=${{ message: request.error_message }} />` : null}
    <${Timeline} request=${request} />
    <${Facts} request=${request} query=${query} />
    ${bodies ? html`<${Bodies} bodies=${bodies} />` : null}
    <${Replay} route=${request.route} replay=${replay} />`;
}
