/** One model: what it is, how it fits, and everything that can be changed. */

import { deviceTitle } from "../../lib/memory_fit.js";
import { api, ApiError, Button, bytes, count, counted, Elapsed, ErrorNote, go, html, Icon, link, Loading, Menu, Note, status, statusAt, useLoad, useState } from "../../ui/kit.js";
import { FitBadge, NeedBar, NeedLegend } from "../../ui/fit.js";
import { memoryAction, modelPath, pinModel } from "./actions.js";
import { FactsCard } from "./facts.js";
import { FilesCard } from "./files.js";
import { kindOf } from "./listing.js";
import { KindBadges, StateBadge } from "./marks.js";
import { ProfilesCard } from "./profiles.js";
import { RemoveDialog } from "./remove_dialog.js";
import { EngineOptions, SettingsCard } from "./settings.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").ModelFits} ModelFits
 * @typedef {import("../../lib/api_types.js").ResidentStatus} Resident
 */

/** @param {{name: string}} props Any name of the model. */
export function ModelDetail({ name }) {
  const resident = (status.value?.residents ?? []).find((entry) => entry.model_name === name);
  const { value: model, error, reload } = useLoad((signal) => api.get(modelPath(name), { signal }), [name, resident?.state]);
  const fits = useLoad((signal) => api.get("/gglib/fits", { signal }), [name, resident?.state]);
  const [isRemoving, setRemoving] = useState(false);
  if (model === null || isGone(error)) {
    return html`<${Back} /><div class="page-head"><h1 class="break">${name}</h1></div>
      ${error ? html`<${ErrorNote} error=${error} onRetry=${isGone(error) ? undefined : reload} />` : html`<${Loading} label="Reading the model" />`}`;
  }
  const changed = async (/** @type {Model} */ now) => {
    if (now.name !== name) go("models", now.name);
    else await Promise.all([reload(), fits.reload()]);
  };
  return html`
    <${Back} />
    <${Head} model=${model} resident=${residentOf(model)} reload=${reload} onRemove=${() => setRemoving(true)} />
    <div class="stack">
      <${ErrorNote} error=${error} onRetry=${reload} />
      <${MemoryCard} model=${model} fits=${fits.value} />
      <div class="model-columns">
        <div class="stack">
          <${FactsCard} model=${model} />
          <${ProfilesCard} model=${model.name} />
          <${FilesCard} model=${model} />
        </div>
        <div class="stack">
          <${SettingsCard} model=${model} onChanged=${changed} />
          <${EngineOptions} model=${model} />
        </div>
      </div>
    </div>
    ${isRemoving ? html`<${RemoveDialog} model=${model} onClose=${() => setRemoving(false)} />` : null}`;
}

/** @param {Error | null} error */
function isGone(error) {
  return error instanceof ApiError && error.status === 404;
}

function Back() {
  return html`<p class="back"><a href=${link("models")}><${Icon} name="right" />Models</a></p>`;
}

/** @param {Model} model @returns {Resident | undefined} */
function residentOf(model) {
  return (status.value?.residents ?? []).find((entry) => entry.model_id === model.id);
}

/** @param {{model: Model, resident: Resident | undefined, reload: () => Promise<void>, onRemove: () => void}} props */
function Head({ model, resident, reload, onRemove }) {
  const { name, is_pinned: isPinned } = model;
  const { verb, icon, run, attributes } = memoryAction(name, resident);
  return html`<div class="page-head">
    <h1 class="break">${name}</h1>
    ${kindOf(model) === "chat" ? html`<a class="button" href=${link("chat", "", { model: name })}><${Icon} name="chat" /><span>Chat</span></a>` : null}
    <${Button} icon="pin" aria-pressed=${String(isPinned)} onClick=${() => pinModel(name, !isPinned).then(reload)}>${isPinned ? "Unpin" : "Pin"}<//>
    <${Button} kind=${resident ? "plain" : "primary"} icon=${icon} onClick=${() => run().then(reload)} ...${attributes}>${verb}<//>
    <${Menu} label=${`More for ${name}`} items=${[
      { label: "Connect a client", icon: "connect", onClick: () => go("connect", "", { model: name }) },
      { label: "Its requests", icon: "requests", onClick: () => go("requests", "", { model: name }) },
      { label: "Log of its engine", icon: "logs", onClick: () => go("logs", `engine:${name}`) },
      null,
      { label: "Remove", icon: "trash", danger: true, onClick: onRemove },
    ]} />
    <div class="row head-marks"><${KindBadges} model=${model} />${resident ? html`<${StateBadge} state=${resident.state} />` : null}
      ${model.description ? html`<span class="quiet break">${model.description}</span>` : null}</div>
  </div>`;
}

/** Whether it fits and why; in memory: what it takes. @param {{model: Model, fits: ModelFits | null}} props */
function MemoryCard({ model, fits }) {
  const resident = residentOf(model);
  const fit = fits?.fits.find((entry) => entry.model_id === model.id);
  const failure = status.value?.failed.find((entry) => entry.model_name === model.name);
  return html`
    ${failure && !resident ? html`<${Note} tone="bad" icon="warn">The last load failed: ${failure.reason}<//>` : null}
    ${fit || resident ? html`<section class="card card-body stack-small" aria-label="Memory">
      ${resident ? html`<p><strong>In memory</strong>: ${residentText(resident)}${resident.idle_s === null ? null : html`, idle for <${Elapsed} seconds=${resident.idle_s} since=${statusAt.value} />`}.</p>` : null}
      ${fit && !resident ? html`<p class="row"><${FitBadge} fit=${fit.fit} /><span>${fit.reason}</span></p>` : null}
      ${fit?.need ? html`<${NeedBar} need=${fit.need} memory=${resident ? null : (fits?.memory ?? null)} />
        <div class="row small quiet"><${NeedLegend} need=${fit.need} /><span class="push">${fit.need.is_exact ? "estimate" : "rough estimate from the size"} for ${counted(fit.slots ?? 1, "request")} at a time with ${count(fit.context)} tokens each</span></div>` : null}
    </section>` : null}`;
}

/** @param {Resident} resident */
function residentText(resident) {
  const sizes = Object.entries(resident.size).map(([device, size]) => `${bytes(size)} of ${deviceTitle(device)}`);
  const slots = resident.slots === null ? null : counted(resident.slots, "slot");
  return [...sizes, slots, `context ${count(resident.effective_ctx)}`, `${counted(resident.in_flight, "request")} in progress`]
    .filter(Boolean)
    .join(", ");
}
