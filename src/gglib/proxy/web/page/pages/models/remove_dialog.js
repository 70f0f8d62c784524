/** Removes a model, with or without its files. */

import { api, Button, bytes, counted, Dialog, ErrorNote, go, html, Loading, route, toast, useLoad, useState } from "../../ui/kit.js";
import { modelPath } from "./actions.js";

/** @typedef {import("../../lib/api_types.js").KeptFile} KeptFile */

/** @param {{model: import("../../lib/api_types.js").Model, onClose: () => void}} props */
export function RemoveDialog({ model, onClose }) {
  const { value: preview, error, reload } = useLoad((signal) => api.get(`${modelPath(model.name)}/removal`, { signal }), []);
  const [withFiles, setWithFiles] = useState(/** @type {boolean | null} */ (null));
  const [failure, setFailure] = useState(/** @type {Error | null} */ (null));
  const canDelete = (preview?.deleted.length ?? 0) > 0;
  const isDeleting = withFiles ?? canDelete;
  const remove = async () => {
    setFailure(null);
    const opened = route.value.rest;
    try {
      const removed = await api.del(modelPath(model.name), { query: { files: isDeleting || null } });
      toast(removed.freed_bytes > 0 ? `Removed ${model.name} and freed ${bytes(removed.freed_bytes)}.` : `Removed ${model.name}; its files stay.`, "success");
      if (route.value.page === "models" && route.value.rest === opened) go("models"); // no other one was opened meanwhile
    } catch (caught) {
      setFailure(/** @type {Error} */ (caught));
    }
  };
  return html`<${Dialog} title=${`Remove ${model.name}?`} onClose=${onClose} actions=${html`
      <${Button} onClick=${onClose}>Cancel<//>
      <${Button} kind="danger" icon="trash" disabled=${preview === null} onClick=${remove}>${!isDeleting ? "Remove from the catalogue" : preview?.freed_bytes ? `Remove and free ${bytes(preview.freed_bytes)}` : "Remove and delete"}<//>`}>
    <div class="form">
      <${ErrorNote} error=${failure} />
      ${preview === null
        ? error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : html`<${Loading} label="Looking at its files" />`
        : html`
          <fieldset class="choices"><legend class="visually-hidden">Files</legend>
            <label class="checkbox"><input type="radio" name="files" checked=${isDeleting} disabled=${!canDelete} onChange=${() => setWithFiles(true)} />
              <span>${deletionText(preview)}</span></label>
            <label class="checkbox"><input type="radio" name="files" checked=${!isDeleting} onChange=${() => setWithFiles(false)} />
              <span>Remove it from the catalogue only; all files stay</span></label>
          </fieldset>
          ${isDeleting ? html`<${Paths} title="Deleted" files=${preview.deleted.map((/** @type {string} */ path) => ({ path, reason: "" }))} />` : null}
          ${preview.kept.length > 0 ? html`<${Paths} title="Kept in any case" files=${preview.kept} />` : null}
          <p class="small quiet">A model in memory finishes its requests first. Its settings and profiles are removed with it.</p>`}
    </div>
  <//>`;
}

/** @param {{deleted: string[], freed_bytes: number}} preview */
function deletionText({ deleted, freed_bytes: freed }) {
  if (deleted.length === 0) return "Remove it and delete its files: none of them can be deleted";
  const size = freed > 0 ? bytes(freed) : "no space is freed: other models share the content";
  return `Remove it and delete ${counted(deleted.length, "file")} (${size})`;
}

/** @param {{title: string, files: KeptFile[]}} props */
function Paths({ title, files }) {
  return html`<div><h3>${title}</h3><ul class="file-list">${files.map(({ path, reason }) => html`<li><code class="break">${path}</code>${reason ? html`<div class="small quiet">${reason}</div>` : null}</li>`)}</ul></div>`;
}
