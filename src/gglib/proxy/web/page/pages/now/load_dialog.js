/** Chooses a model of the catalogue to load. */

import { api, Badge, Button, bytes, count, Dialog, Empty, ErrorNote, html, link, Loading, SearchInput, status, TextField, useLoad, useState } from "../../ui/kit.js";
import { load } from "./actions.js";
import { matching } from "./catalogue.js";

/** @typedef {import("../../lib/api_types.js").Model} Model */

/** @param {{onClose: () => void}} props */
export function LoadDialog({ onClose }) {
  const models = useLoad(async (signal) => /** @type {Model[]} */ ((await api.get("/gglib/models", { signal })).models), []);
  const [chosen, setChosen] = useState("");
  const [context, setContext] = useState("");
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    load(chosen, context === "" ? null : Number(context));
    onClose();
  };
  return html`<${Dialog} title="Load a model" onClose=${onClose}>
    <form class="form load-form" onSubmit=${submit}>
      <${ErrorNote} error=${models.error} onRetry=${models.reload} />
      ${models.value === null && models.isLoading ? html`<${Loading} label="Loading the catalogue" />` : null}
      ${models.value?.length === 0 ? html`<${NoModels} />` : null}
      ${models.value?.length ? html`
        <${Choice} models=${models.value} chosen=${chosen} onChoose=${setChosen} />
        <${TextField} label="Context in tokens" type="number" min="1" step="1" placeholder="the model's default" value=${context} onInput=${setContext}
          hint="The load makes room if it has to: idle models are unloaded first." />
        <div class="form-actions">
          <${Button} onClick=${onClose}>Cancel<//>
          <${Button} kind="primary" type="submit" icon="load" disabled=${chosen === ""}>Load<//>
        </div>` : null}
    </form>
  <//>`;
}

function NoModels() {
  return html`<${Empty} icon="models" title="The catalogue is empty">
    <p><a href=${link("find")}>Find a model</a>, or add a file with <code>gglib add FILE.gguf</code>.</p>
  <//>`;
}

/** @param {{models: readonly Model[], chosen: string, onChoose: (name: string) => void}} props */
function Choice({ models, chosen, onChoose }) {
  const [text, setText] = useState("");
  const { shown, more } = matching(models, text);
  const filter = (/** @type {string} */ entered) => {
    setText(entered);
    if (!matching(models, entered).shown.some((model) => model.name === chosen)) onChoose(""); // none is chosen out of view
  };
  const states = new Map((status.value?.residents ?? []).map((resident) => [resident.model_id, resident.state]));
  return html`
    <${SearchInput} label="Filter models" value=${text} onInput=${filter} />
    <fieldset class="load-choice"><legend class="visually-hidden">Model</legend>
      ${shown.map((model) => html`<label key=${model.id}>
        <input type="radio" name="model" value=${model.name} checked=${model.name === chosen} onChange=${() => onChoose(model.name)} />
        <span class="clip">${model.name}</span>
        ${states.has(model.id) ? html`<${Badge} tone="ok">${states.get(model.id)}<//>` : null}
        <span class="figure small quiet">${bytes(model.size_bytes)}</span>
      </label>`)}
      ${shown.length === 0 ? html`<p class="quiet">No model has this name.</p>` : null}
      ${more > 0 ? html`<p class="quiet small">and ${count(more)} more: type a part of the name.</p>` : null}
    </fieldset>`;
}
