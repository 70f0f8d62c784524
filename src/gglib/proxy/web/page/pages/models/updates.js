/** Compares the models with their sources, and pulls newer versions. */

import { api, Badge, Button, bytes, counted, Empty, ErrorNote, html, link, Loading, useEffect, useLoad } from "../../ui/kit.js";
import { downloads, startDownload, useDownloads } from "../../state/downloads.js";
import { stateText } from "../../state/downloads_list.js";
import { doneIds, pullOf } from "./updating.js";

/**
 * @typedef {import("../../lib/api_types.js").Update} Update
 * @typedef {import("../../lib/api_types.js").Download} Download
 */

const STATES = /** @type {Record<string, {tone: string, text: string}>} */ ({
  changed: { tone: "accent", text: "newer version" },
  current: { tone: "ok", text: "current" },
  gone: { tone: "bad", text: "gone" },
  pinned: { tone: "quiet", text: "pinned" },
  unchecked: { tone: "warn", text: "not checked" },
  unknown: { tone: "quiet", text: "cannot be compared" },
});

const UPDATED = { tone: "ok", text: "updated" };

export function UpdatesTab() {
  useDownloads();
  const { value, error, isLoading, reload } = useLoad(async (signal) => {
    const known = doneIds(downloads.value);
    return { ...await api.get("/gglib/hub/updates", { signal }), known };
  }, []);
  /** @param {Update} update */
  const pullFor = (update) => (value === null ? null : pullOf(update, downloads.value, value.known));
  const made = (value?.updates ?? []).map(pullFor).filter((/** @type {Download | null} */ pull) => pull?.state === "done");
  useEffect(() => {
    if (made.length > 0) void reload();
  }, [made.length]);
  if (value === null) return error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : html`<${Loading} label="Asking the sources" />`;
  /** @type {Update[]} */
  const updates = value.updates;
  if (updates.length === 0) {
    return html`<${Empty} icon="models" title="Nothing to compare"><p>Only models that came from the hub or a URL have a source.</p><p><a href=${link("find")}>Find models</a></p><//>`;
  }
  const changed = updates.filter((update) => update.state === "changed" && pullFor(update)?.state !== "done");
  const startable = changed.filter((update) => pullFor(update) === null);
  return html`<div class="stack">
    <div class="row">
      <p role="status">${changed.length === 0 ? "No model has a newer version." : `${counted(changed.length, "model has", "models have")} a newer version.`}</p>
      <span class="push row">
        ${startable.length > 1 ? html`<${Button} kind="primary" icon="load" onClick=${() => Promise.all(startable.map((update) => update.pull && startDownload(update.pull)))}>Update all<//>` : null}
        <${Button} icon="retry" isBusy=${isLoading} onClick=${reload}>Check again<//>
      </span>
    </div>
    <${ErrorNote} error=${error} onRetry=${reload} />
    <div class="card table-scroll"><table>
      <thead><tr><th scope="col">Model</th><th scope="col" class="wide-only">State</th><th scope="col" class="wide-only">Version here</th><th scope="col" class="wide-only">Newest</th><th scope="col" class="number wide-only">To download</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
      <tbody>${updates.map((update) => html`<${UpdateRow} key=${update.model_name} update=${update} pull=${pullFor(update)} />`)}</tbody>
    </table></div>
  </div>`;
}

/** @param {{update: Update, pull: Download | null}} props `pull`: the download that makes the update, or has made it. */
function UpdateRow({ update, pull }) {
  const { tone, text } = pull?.state === "done" ? UPDATED : STATES[update.state] ?? { tone: "quiet", text: update.state };
  const state = html`<${Badge} tone=${tone}>${text}<//>${update.reason ? html`<div class="small quiet break">${update.reason}</div>` : null}`;
  return html`<tr>
    <td><a class="break" href=${link("models", update.model_name)}>${update.model_name}</a><div class="small quiet break">${update.repo}</div>
      <div class="narrow-only">${state} <span class="small quiet">${bytes(update.new_size_bytes ?? update.size_bytes)}</span></div></td>
    <td class="wide-only">${state}</td>
    <td class="wide-only"><code>${update.old_revision?.slice(0, 10) ?? "–"}</code></td>
    <td class="wide-only"><code>${update.new_revision?.slice(0, 10) ?? "–"}</code></td>
    <td class="number wide-only">${bytes(update.new_size_bytes)}</td>
    <td class="right">${update.state !== "changed"
      ? null
      : pull
      ? html`<span class="small quiet">${stateText(pull)}</span>`
      : update.pull
        ? html`<${Button} small icon="load" aria-label=${`Update ${update.model_name}`} onClick=${() => startDownload(/** @type {string} */ (update.pull))}>Update<//>`
        : null}</td>
  </tr>`;
}
