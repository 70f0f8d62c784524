/** One model: what it is, where it comes from, how it fits, its files, and everything that can be changed. */

import { api, ApiError, Badge, Button, bytes, count, counted, dateTime, deviceTitle, Dialog, Elapsed, ErrorNote, FitBadge, go, html, Icon, isSafeLink, link, Menu, NeedBar, NeedLegend, Note, Progress, route, status, statusAt, streamEvents, toast, useEffect, useLoad, useRef, useState } from "../../ui/kit.js";
import { memoryAction, modelPath, pinModel } from "./actions.js";
import { abilitiesOf, isElsewhere, kindOf, nodesText, parametersOf, stateOnNodes } from "./listing.js";
import { EngineOptions, Pending, ProfilesCard, SettingsCard, StateBadge } from "./settings.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").ModelFits} ModelFits
 * @typedef {import("../../lib/api_types.js").ResidentStatus} Resident
 * @typedef {import("../../lib/api_types.js").FileCheck} FileCheck
 * @typedef {{file: string, done_bytes: number, total_bytes: number}} VerifyProgress
 * @typedef {{progress?: VerifyProgress | null, checks?: FileCheck[], error?: Error}} Verification
 */

const HUB = "https://huggingface.co";

const VERDICTS = /** @type {Record<string, [tone: string, text: string]>} */ ({
  good: ["ok", "unchanged"],
  unknown: ["quiet", "no hash to compare"],
  differs: ["bad", "differs"],
  gone: ["bad", "missing"],
  unreadable: ["bad", "cannot be read"],
});

/** @param {{name: string}} props Any name of the model. */
export function ModelDetail({ name }) {
  const state = status.value?.residents.find((entry) => entry.model_name === name)?.state;
  const { value, error, reload } = useLoad((signal) => api.get(modelPath(name), { signal }), [name, state]);
  const fits = useLoad((signal) => api.get("/gglib/fits", { signal }), [name, state]);
  const [isRemoving, setRemoving] = useState(false);
  const back = html`<p class="back"><a href=${link("models")}><${Icon} name="right" />Models</a></p>`;
  const isGone = error instanceof ApiError && error.status === 404;
  if (value === null || isGone) {
    return html`${back}<div class="page-head"><h1 class="break">${name}</h1></div>
      <${Pending} error=${error} onRetry=${isGone ? undefined : reload} label="Reading the model" />`;
  }
  const model = /** @type {Model} */ (value);
  const resident = status.value?.residents.find((entry) => entry.model_id === model.id);
  const changed = async (/** @type {Model} */ now) => {
    if (now.name !== name) go("models", now.name);
    else await Promise.all([reload(), fits.reload()]);
  };
  return html`
    ${back}
    <${Head} model=${model} resident=${resident} reload=${reload} onRemove=${() => setRemoving(true)} />
    <div class="stack">
      <${ErrorNote} error=${error} onRetry=${reload} />
      <${MemoryCard} model=${model} resident=${resident} fits=${fits.value} />
      <div class="model-columns">
        <div class="stack">
          <${FactsCard} model=${model} />
          ${isElsewhere(model) ? null : html`<${ProfilesCard} model=${model.name} /><${FilesCard} model=${model} />`}
        </div>
        <div class="stack">
          ${isElsewhere(model) ? html`<${Note}>Only nodes have this model: its files and settings are changed there.<//>`
            : html`<${SettingsCard} model=${model} onChanged=${changed} /><${EngineOptions} model=${model} />`}
        </div>
      </div>
    </div>
    ${isRemoving ? html`<${RemoveDialog} model=${model} onClose=${() => setRemoving(false)} />` : null}`;
}

/** @param {{model: Model, resident: Resident | undefined, reload: () => Promise<void>, onRemove: () => void}} props */
function Head({ model, resident, reload, onRemove }) {
  const { name, description, is_pinned: isPinned } = model;
  const state = resident?.state ?? stateOnNodes(model);
  const { verb, icon, run, attributes } = memoryAction(name, state);
  const isHere = !isElsewhere(model);
  return html`<div class="page-head">
    <h1 class="break">${name}</h1>
    ${kindOf(model) === "chat" ? html`<a class="button" href=${link("chat", "", { model: name })}><${Icon} name="chat" /><span>Chat</span></a>` : null}
    ${isHere && html`<${Button} icon="pin" aria-pressed=${isPinned} onClick=${() => pinModel(name, !isPinned).then(reload)}>${isPinned ? "Unpin" : "Pin"}<//>`}
    <${Button} kind=${state ? "plain" : "primary"} icon=${icon} onClick=${() => run().then(reload)} ...${attributes}>${verb}<//>
    <${Menu} label=${`More for ${name}`} items=${[
      { label: "Connect a client", icon: "connect", onClick: () => go("connect", "", { model: name }) },
      { label: "Its requests", icon: "requests", onClick: () => go("requests", "", { model: name }) },
      ...(isHere ? [
        { label: "Log of its engine", icon: "logs", onClick: () => go("logs", `engine:${name}`) },
        null,
        { label: "Remove", icon: "trash", danger: true, onClick: onRemove },
      ] : []),
    ]} />
    <div class="row head-marks"><${Badge} tone="accent">${kindOf(model)}<//>
      ${abilitiesOf(model).map((ability) => html`<${Badge}>${ability}<//>`)}
      ${isPinned ? html`<${Badge} tone="warn">pinned<//>` : null}
      ${state ? html`<${StateBadge} state=${state} />` : null}
      ${description ? html`<span class="quiet break">${description}</span>` : null}</div>
  </div>`;
}

/** Whether it fits and why; in memory: what it takes. @param {{model: Model, resident: Resident | undefined, fits: ModelFits | null}} props */
function MemoryCard({ model, resident, fits }) {
  const fit = fits?.fits.find((entry) => entry.model_id === model.id);
  const failure = status.value?.failed.find((entry) => entry.model_name === model.name);
  const need = fit?.need;
  return html`
    ${failure && !resident ? html`<${Note} tone="bad" icon="warn">The last load failed: ${failure.reason}<//>` : null}
    ${fit || resident ? html`<section class="card card-body stack-small" aria-label="Memory">
      ${resident
        ? html`<p><strong>In memory</strong>: ${residentText(resident)}${resident.idle_s === null ? null : html`, idle for <${Elapsed} seconds=${resident.idle_s} since=${statusAt.value} />`}.</p>`
        : html`<p class="row"><${FitBadge} fit=${fit?.fit} /><span>${fit?.reason}</span></p>`}
      ${need ? html`<${NeedBar} need=${need} memory=${resident ? null : fits?.memory} />
        <div class="row small quiet"><${NeedLegend} need=${need} /><span class="push">${need.is_exact ? "estimate" : "rough estimate from the size"} for ${counted(fit?.slots ?? 1, "request")} at a time with ${count(fit?.context)} tokens each</span></div>` : null}
    </section>` : null}`;
}

/** @param {Resident} resident */
function residentText({ size, slots, effective_ctx: context, in_flight: inFlight }) {
  const sizes = Object.entries(size).map(([device, taken]) => `${bytes(taken)} of ${deviceTitle(device)}`);
  if (slots !== null) sizes.push(counted(slots, "slot"));
  return [...sizes, `context ${count(context)}`, `${counted(inFlight, "request")} in progress`].join(", ");
}

/** @param {{model: Model}} props */
function FactsCard({ model }) {
  const { id, capabilities, aliases, tags, context, last_used_at: usedAt } = model;
  const lists = model.alias_lists;
  return html`<section class="card">
    <header><h2>Facts</h2>${isElsewhere(model) ? null : html`<span class="quiet small">number ${id}</span>`}</header>
    <dl class="facts card-body">
      <dt>Kind</dt><dd>${kindOf(model)}${model.kind === null ? "" : " (set)"}</dd>
      <dt>Can do</dt><dd>${capabilities.join(", ") || "–"}</dd>
      <dt>Architecture</dt><dd>${model.architecture ?? "–"}</dd>
      <dt>Parameters</dt><dd>${parametersOf(model)}</dd>
      <dt>Quantization</dt><dd>${model.quantization ?? "–"}</dd>
      <dt>Size</dt><dd>${bytes(model.size_bytes)}</dd>
      <dt>Context</dt><dd>${context === null ? "" : `${count(context)} set, `}trained for ${count(model.trained_context)}</dd>
      <dt>Also called</dt><dd>${aliases.length === 0 ? "–" : codes(aliases)}</dd>
      ${lists.length > 0 ? html`<dt>In alias lists</dt><dd>${codes(lists)} <a class="small" href=${link("models", "", { tab: "aliases" })}>All aliases</a></dd>` : null}
      ${tags.length > 0 ? html`<dt>Tags</dt><dd class="row">${tags.map((tag) => html`<${Badge}>${tag}<//>`)}</dd>` : null}
      ${model.nodes.length > 0 ? html`<dt>Nodes</dt><dd>${nodesText(model)}</dd>` : null}
      <dt>Source</dt><dd><${SourceText} source=${model.source} /></dd>
      <dt>Added</dt><dd>${dateTime(model.added_at)}</dd>
      <dt>Last used</dt><dd>${usedAt === null ? "never" : dateTime(usedAt)}</dd>
    </dl>
  </section>`;
}

/** @param {readonly string[]} names */
function codes(names) {
  return names.map((name, index) => html`${index > 0 ? ", " : ""}<code>${name}</code>`);
}

/** @param {{source: Model["source"]}} props */
function SourceText({ source: { origin, repo, url, revision, asked_revision: asked, file } }) {
  if (origin === null) return html`a file that you added`;
  const address = repo === null ? url : `${HUB}/${repo}${revision ? `/tree/${revision}` : ""}`;
  const text = repo ?? url ?? origin;
  return html`${(origin === "hub" || origin === "url") && address !== null && isSafeLink(address)
      ? html`<a href=${address} target="_blank" rel="noreferrer">${text} <${Icon} name="open" label="in a new tab" /></a>`
      : text}
    ${revision ? html`<div class="small quiet">revision <code>${revision.slice(0, 12)}</code>${asked ? html`, pinned to <code>${asked}</code>` : null}</div>` : null}
    ${file ? html`<div class="small quiet break">${file}</div>` : null}`;
}

/** The files of a model, and their verification. @param {{model: Model}} props */
function FilesCard({ model }) {
  const { state, start, stop } = useVerification(model.name);
  const { hashes, projector } = model;
  const paths = [...(model.paths ?? []), ...(projector ? [projector] : [])];
  const isRunning = state?.progress !== undefined;
  return html`<section class="card">
    <header><h2>Files</h2>
      ${isRunning ? html`<${Button} small icon="stop" onClick=${stop}>Stop<//>` : html`<${Button} small icon="check" onClick=${start}>Verify<//>`}</header>
    <div class="card-body stack-small">
      ${isRunning ? html`<${VerifyState} progress=${state?.progress} />` : null}
      <${ErrorNote} error=${state?.error} onRetry=${start} />
      <ul class="file-list">${paths.map((path, index) => html`<li key=${path}>
        <code class="break">${path}</code>
        <div class="small quiet break">${hashes[index] ? html`SHA-256 <code>${hashes[index]}</code>` : path === projector ? "projector for images" : "no hash is stored"}</div>
        <${CheckText} check=${state?.checks?.find((check) => check.path === path)} />
      </li>`)}</ul>
      <p class="visually-hidden" role="status">${state?.checks ? resultText(state.checks) : ""}</p>
      <p class="small quiet">${model.is_downloaded ? "Downloaded by gglib, which may delete them." : "Added by you: gglib never changes or deletes them."}</p>
    </div>
  </section>`;
}

/** @param {{progress: VerifyProgress | null | undefined}} props */
function VerifyState({ progress }) {
  if (!progress) return html`<${Progress} value=${null} label="Waiting for the verification" />`;
  const { file, done_bytes: done, total_bytes: total } = progress;
  return html`<div><p class="small break">Reading ${file}: ${bytes(done)} of ${bytes(total)}</p><${Progress} value=${total > 0 ? done / total : null} label=${`Verifying ${file}`} /></div>`;
}

/** @param {{check: FileCheck | undefined}} props */
function CheckText({ check }) {
  if (check === undefined) return null;
  const { verdict, reason, found_sha256: found, is_replaced: isReplaced } = check;
  const [tone, text] = VERDICTS[verdict] ?? ["quiet", verdict];
  return html`<div class="row small"><${Badge} tone=${tone}>${text}<//>
    ${verdict === "differs" ? html`<span class="break">found ${found}${isReplaced ? ": the file was replaced" : ""}. Pull the model again.</span>` : null}
    ${reason ? html`<span class="break">${reason}</span>` : null}</div>`;
}

/** @param {FileCheck[]} checks */
function resultText(checks) {
  const bad = checks.filter(({ verdict }) => verdict !== "good" && verdict !== "unknown").length;
  return bad === 0 ? `${counted(checks.length, "file")} verified.` : `${counted(bad, "file")} of ${checks.length} failed the verification.`;
}

/** @param {string} name The name of a model. */
function useVerification(name) {
  const [state, setState] = useState(/** @type {Verification | null} */ (null));
  const controller = useRef(/** @type {AbortController | null} */ (null));
  const stop = () => {
    controller.current?.abort();
    setState(null);
  };
  useEffect(() => () => controller.current?.abort(), []);
  const run = async () => {
    const { signal } = controller.current = new AbortController();
    setState({ progress: null });
    try {
      for await (const { event, data } of streamEvents(`${modelPath(name)}/verify`, { method: "POST", signal })) {
        const value = JSON.parse(data);
        if (value.error) throw new Error(value.error.message);
        if (event === "progress") setState({ progress: value });
        if (event === "result") return setState({ checks: value.checks });
      }
      throw new Error("The verification ended early: start it again.");
    } catch (error) {
      return signal.aborted ? undefined : setState({ error: /** @type {Error} */ (error) });
    }
  };
  return { state, start: () => void run(), stop };
}

/** Removes a model, with or without its files. @param {{model: Model, onClose: () => void}} props */
function RemoveDialog({ model: { name }, onClose }) {
  const { value: preview, error, reload } = useLoad((signal) => api.get(`${modelPath(name)}/removal`, { signal }), []);
  const [withFiles, setWithFiles] = useState(/** @type {boolean | null} */ (null));
  const [failure, setFailure] = useState(/** @type {Error | null} */ (null));
  const canDelete = preview?.deleted.length > 0;
  const isDeleting = withFiles ?? canDelete;
  const remove = async () => {
    setFailure(null);
    const opened = route.value.rest;
    try {
      const { freed_bytes: freed } = await api.del(modelPath(name), { query: { files: isDeleting || null } });
      toast(`Removed ${name}${freed > 0 ? ` and freed ${bytes(freed)}` : "; its files stay"}.`, "success");
      if (route.value.page === "models" && route.value.rest === opened) go("models"); // no other one was opened meanwhile
    } catch (caught) {
      setFailure(/** @type {Error} */ (caught));
    }
  };
  const action = !isDeleting ? "Remove from the catalogue" : preview?.freed_bytes ? `Remove and free ${bytes(preview.freed_bytes)}` : "Remove and delete";
  return html`<${Dialog} title=${`Remove ${name}?`} onClose=${onClose} actions=${html`
      <${Button} onClick=${onClose}>Cancel<//>
      <${Button} kind="danger" icon="trash" disabled=${preview === null} onClick=${remove}>${action}<//>`}>
    <div class="form">
      <${ErrorNote} error=${failure} />
      ${preview === null
        ? html`<${Pending} error=${error} onRetry=${reload} label="Looking at its files" />`
        : html`
          <fieldset class="choices"><legend class="visually-hidden">Files</legend>
            <label class="checkbox"><input type="radio" name="files" checked=${isDeleting} disabled=${!canDelete} onChange=${() => setWithFiles(true)} />
              <span>${deletionText(preview)}</span></label>
            <label class="checkbox"><input type="radio" name="files" checked=${!isDeleting} onChange=${() => setWithFiles(false)} />
              <span>Remove it from the catalogue only; all files stay</span></label>
          </fieldset>
          ${isDeleting ? html`<${Paths} title="Deleted" files=${preview.deleted.map((/** @type {string} */ path) => ({ path }))} />` : null}
          ${preview.kept.length > 0 ? html`<${Paths} title="Kept in any case" files=${preview.kept} />` : null}
          <p class="small quiet">A model in memory finishes its requests first. Its settings and profiles are removed with it.</p>`}
    </div>
  <//>`;
}

/** @param {{deleted: string[], freed_bytes: number}} preview */
function deletionText({ deleted, freed_bytes: freed }) {
  if (deleted.length === 0) return "Remove it and delete its files: none of them can be deleted";
  return `Remove it and delete ${counted(deleted.length, "file")} (${freed > 0 ? bytes(freed) : "no space is freed: other models share the content"})`;
}

/** @param {{title: string, files: {path: string, reason?: string}[]}} props */
function Paths({ title, files }) {
  return html`<div><h3>${title}</h3><ul class="file-list">${files.map(({ path, reason }) => html`<li><code class="break">${path}</code>${reason ? html`<div class="small quiet">${reason}</div>` : null}</li>`)}</ul></div>`;
}
