/** What the page does with models and requests, with its messages. */

import { api, confirmDialog, counted, html, segment, toast } from "../../ui/kit.js";

/** @typedef {import("../../lib/api_types.js").ResidentStatus} Resident */

/**
 * Load a model. Its progress is shown with the models in memory, so that nothing waits for the end.
 * @param {string} model @param {number | null} [context] In tokens.
 */
export function load(model, context = null) {
  const body = context === null ? {} : { num_ctx: context };
  api.post(`/gglib/models/${segment(model)}/load`, body).then(
    () => toast(`${model} is loaded.`, "success"),
    (error) => toast(error.message, "error"),
  );
}

/** Unload a model, after a question if it serves requests. @param {Resident} resident */
export async function unload({ model_name: model, in_flight: busy }) {
  const isConfirmed = busy === 0 || await confirmDialog({
    title: `Unload ${model}?`,
    text: `It serves ${counted(busy, "request")}, which can go on for the drain time of the server and ${busy === 1 ? "is" : "are"} then cut off.`,
    action: "Unload",
    danger: true,
  });
  if (!isConfirmed) return;
  const { stopped } = await api.post(`/gglib/models/${segment(model)}/unload`);
  toast(stopped.length > 0 ? `${model} is unloaded.` : `${model} was not in memory.`);
}

/** Unload all models, after a question. @param {readonly Resident[]} residents */
export async function unloadAll(residents) {
  const busy = residents.reduce((sum, resident) => sum + resident.in_flight, 0);
  const isConfirmed = await confirmDialog({
    title: "Unload all models?",
    text: html`<p>This unloads ${residents.map((resident) => resident.model_name).join(", ")}.</p>
      ${busy > 0 ? html`<p>${counted(busy, "request")} in flight can go on for the drain time of the server and ${busy === 1 ? "is" : "are"} then cut off.</p>` : null}
      <p>The next request to a model loads it again.</p>`,
    action: "Unload all",
    danger: true,
  });
  if (!isConfirmed) return;
  const { stopped } = await api.post("/gglib/stop");
  toast(`${counted(stopped.length, "model")} unloaded.`);
}

/** Pin or unpin a model. @param {Resident} resident */
export async function togglePin({ model_name: model, is_pinned: isPinned }) {
  await api.post(`/gglib/models/${segment(model)}/${isPinned ? "unpin" : "pin"}`);
  toast(isPinned ? `${model} is not pinned any more.` : `${model} is pinned: models that do not fit beside it are refused.`);
}

/** Cancel a request, after a question. @param {import("../../lib/api_types.js").RunningRequest} request @param {string} client */
export async function cancel(request, client) {
  const isWaiting = request.state === "waiting";
  const isConfirmed = await confirmDialog({
    title: "Cancel this request?",
    text: isWaiting
      ? `The request of ${client} waits for ${request.model ?? "a model"}. It gets the error request_cancelled.`
      : `The response to ${client} is cut off, and ends with the error request_cancelled.`,
    action: "Cancel the request",
    danger: true,
  });
  if (!isConfirmed) return;
  await api.del(`/gglib/requests/${segment(request.request_id)}`);
  toast("The request is cancelled.");
}
