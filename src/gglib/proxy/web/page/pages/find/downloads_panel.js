/** The downloads of the server, with everything that can be done with them. */

import { ago, Button, bytes, confirmDialog, counted, ErrorNote, html, IconButton, link, Menu, Progress, toast, useState } from "../../ui/kit.js";
import { cancelDownload, downloads, downloadsError, pauseDownload, resumeDownload } from "../../state/downloads.js";
import { isActive, shareOf, stateText } from "../../state/downloads_list.js";
import { useKeptFocus } from "../../ui/focus.js";
import { loadModel } from "../models/actions.js";

/**
 * @typedef {import("../../lib/api_types.js").Download} Download
 * @typedef {{models: readonly import("../../lib/api_types.js").Model[], done: ReadonlySet<string>}} Catalogue `done`: the downloads that were done before it was read.
 */

const SHOWN_ENDED = 4;

/** @param {{catalogue: Catalogue | null}} props null: not known yet. */
export function DownloadsPanel({ catalogue }) {
  const [isOpen, setOpen] = useState(false);
  const all = downloads.value;
  const ended = all.filter((download) => !isActive(download) && download.state !== "paused");
  const shown = isOpen ? all : all.filter((download) => !ended.includes(download) || ended.indexOf(download) < SHOWN_ENDED);
  return html`<section class=${`card downloads ${all.length === 0 ? "is-empty" : ""}`}>
    <header><h2>Downloads</h2>${all.some(isActive) ? html`<span class="quiet small">${counted(all.filter(isActive).length, "active", "active")}</span>` : null}</header>
    ${downloadsError.value && all.length === 0 ? html`<div class="card-body"><${ErrorNote} error=${downloadsError.value} /></div>` : null}
    ${all.length === 0
      ? html`<p class="card-body quiet small">Nothing is downloading. Models that are pulled here, or through the API, appear in this list; those of <code>gglib pull</code> do not.</p>`
      : html`<ul class="download-list">${shown.map((download) => html`<${DownloadRow} key=${download.id} download=${download} isKept=${isKept(download, catalogue)} />`)}</ul>`}
    ${shown.length < all.length || isOpen ? html`<div class="card-more"><${Button} small kind="ghost" onClick=${() => setOpen(!isOpen)}>${isOpen ? "Show fewer" : `Show all ${all.length}`}<//></div>` : null}
  </section>`;
}

/** @param {Download} download @param {Catalogue | null} catalogue */
function isKept({ id, model_name: model }, catalogue) {
  return catalogue === null || !catalogue.done.has(id) || catalogue.models.some(({ name }) => name === model);
}

/** @param {{download: Download, isKept: boolean}} props `isKept`: whether its model is in the catalogue still. */
function DownloadRow({ download, isKept }) {
  const { target, state, error, model_name: name, ended_at: endedAt } = download;
  return html`<li>
    <div class="download-head"><strong class="break">${name ?? target}</strong><${Actions} download=${download} /></div>
    ${isActive(download) || state === "paused" ? html`<${Progress} value=${state === "queued" ? 0 : shareOf(download)} label=${`Progress of ${target}`} />` : null}
    <p class=${`small ${state === "failed" ? "download-failed" : "quiet"}`}>${state === "done" && !isKept ? "Removed since" : stateText(download)}${endedAt && state !== "failed" && state !== "paused" ? `, ${ago(Math.max(0, Date.now() / 1000 - endedAt))}` : ""}</p>
    ${error ? html`<p class="small break">${error.message}</p>` : null}
    ${name && state === "done" && isKept ? html`<div class="row">
      <a class="button small" href=${link("chat", "", { model: name })}>Chat</a>
      <${Button} small icon="load" onClick=${() => loadModel(name)}>Load<//>
      <a class="button small ghost" href=${link("models", name)}>Details</a></div>` : null}
    <span class="visually-hidden" role="status">${isActive(download) ? "" : `${target}: ${state}`}</span>
  </li>`;
}

/** One button for all states, so that the focus stays on it, and a menu. @param {{download: Download}} props */
function Actions({ download }) {
  const { id, target, state, error } = download;
  const place = useKeptFocus("button");
  if (state === "done") return null;
  const deletesFiles = async () => {
    const isConfirmed = await confirmDialog({
      title: "Delete the partial files?",
      text: `${target} has ${bytes(download.done_bytes)} on the disk. A later pull starts from the beginning. Files that another download needs are kept.`,
      action: isActive(download) || state === "paused" ? "Cancel and delete" : "Delete",
      danger: true,
    });
    if (!isConfirmed) return;
    await cancelDownload(id, true);
    toast(`Deleted the partial files of ${target}.`);
  };
  const isOngoing = isActive(download) || state === "paused";
  const [icon, label] = isActive(download) ? ["pause", `Pause ${target}`]
    : state === "paused" ? ["play", `Resume ${target}`]
    : ["retry", `${error ? "Try again" : "Resume"}: ${target}`];
  return html`<span class="nowrap" ref=${place}>
    <${IconButton} icon=${icon} label=${label} onClick=${() => (isActive(download) ? pauseDownload(id) : resumeDownload(id))} />
    ${isOngoing || download.done_bytes > 0 ? html`<${Menu} label=${`More for ${target}`} items=${[
      ...(isOngoing ? [{ label: "Cancel, keep partial files", icon: "close", onClick: () => cancelDownload(id, false) }] : []),
      { label: isOngoing ? "Cancel and delete partial files" : "Delete partial files", icon: "trash", danger: true, onClick: deletesFiles },
    ]} />` : null}
  </span>`;
}
