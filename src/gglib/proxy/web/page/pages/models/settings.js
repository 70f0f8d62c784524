/** The settings of a model: what HTTP may set as a form, the rest with the command that sets it. */

import { api, Button, Checkbox, Copy, count, ErrorNote, Field, html, Select, TextField, toast, useEffect, useState } from "../../ui/kit.js";
import { modelPath } from "./actions.js";
import { engineArgsCommand } from "./commands.js";
import { changesOf, formOf, rebased } from "./settings_form.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("./settings_form.js").Form} Form
 * @typedef {import("./settings_form.js").Errors} Errors
 */

const KINDS = [
  { value: "", label: "As in its header" },
  { value: "chat", label: "Chat" },
  { value: "embedding", label: "Embedding" },
  { value: "rerank", label: "Rerank" },
];
const PRIORITIES = [
  { value: "", label: "Default" },
  { value: "interactive", label: "Interactive" },
  { value: "batch", label: "Batch" },
];

/** @param {{model: Model, onChanged: (model: Model) => Promise<void>}} props */
export function SettingsCard({ model, onChanged }) {
  const [{ before, form }, setState] = useState({ before: formOf(model), form: formOf(model) });
  const setForm = (/** @type {Form} */ changed) => setState({ before, form: changed });
  const now = JSON.stringify(formOf(model));
  useEffect(() => setState({ before: formOf(model), form: rebased(before, form, formOf(model)) }), [now]);
  const [errors, setErrors] = useState(/** @type {Errors} */ ({}));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [isSaving, setSaving] = useState(false);
  const { changes } = changesOf(before, form);
  const isChanged = JSON.stringify(form) !== JSON.stringify(before);
  const field = (/** @type {keyof Form} */ name) => ({
    value: form[name],
    error: errors[name],
    onInput: (/** @type {string} */ value) => setForm({ ...form, [name]: value }),
  });
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const read = changesOf(before, form);
    setErrors(read.errors);
    setError(null);
    if (Object.keys(read.errors).length > 0) return;
    setSaving(true);
    try {
      const saved = await api.patch(modelPath(model.name), changes);
      toast(`Saved the settings of ${saved.name}.`, "success");
      setState(({ form: current }) => ({ before: formOf(saved), form: rebased(form, current, formOf(saved)) }));
      await onChanged(saved);
    } catch (failure) {
      const { param, message } = /** @type {import("../../lib/api.js").ApiError} */ (failure);
      if (param && param in form) setErrors({ [param]: message });
      else setError(/** @type {Error} */ (failure));
    } finally {
      setSaving(false);
    }
  };
  return html`<section class="card">
    <header><h2>Settings</h2></header>
    <form class="card-body form" onSubmit=${save} noValidate>
      <${ErrorNote} error=${error} />
      <${TextField} label="Name" ...${field("name")} spellcheck="false" autocomplete="off" hint="Clients use it as the model. A model in memory is unloaded when its name changes." />
      <${TextField} label="Aliases" ...${field("aliases")} spellcheck="false" autocomplete="off" hint="Further names, with commas between them." />
      <div class="form-row">
        <${TextField} label="Context" ...${field("context")} inputmode="numeric" autocomplete="off" placeholder="default" hint=${`Tokens of each request; trained for ${count(model.trained_context)}.`} />
        <${TextField} label="Unload when idle for" ...${field("idle_ttl_s")} autocomplete="off" placeholder="never" hint="30s, 10m, 2h; empty: never." />
      </div>
      <div class="form-row">
        <${Choice} label="Served for" options=${KINDS} ...${field("kind")} />
        <${Choice} label="Priority of its requests" options=${PRIORITIES} ...${field("priority")} />
      </div>
      <${TextField} label="Tags" ...${field("tags")} autocomplete="off" />
      <${Checkbox} label="Pinned: stays in memory once it is loaded" checked=${form.is_pinned} onChange=${(/** @type {boolean} */ isPinned) => setForm({ ...form, is_pinned: isPinned })} />
      <div class="form-actions">
        ${isChanged ? html`<${Button} kind="ghost" onClick=${() => { setForm(before); setErrors({}); setError(null); }}>Reset<//>` : null}
        <${Button} kind="primary" type="submit" disabled=${!isChanged} isBusy=${isSaving}>Save<//>
      </div>
    </form>
  </section>`;
}

/** @param {{label: string, options: {value: string, label: string}[], value: string, error?: string, onInput: (value: string) => void}} props */
function Choice({ label, options, value, error, onInput }) {
  return html`<${Field} label=${label} error=${error}>
    ${(/** @type {object} */ attributes) => html`<${Select} value=${value} options=${options} onChange=${onInput} ...${attributes} />`}
  <//>`;
}

/** Engine options can run programs, so they are set on the server's machine only. @param {{model: Model}} props */
export function EngineOptions({ model }) {
  const options = model.engine_args ?? [];
  const command = engineArgsCommand(model.name, options);
  return html`<section class="card">
    <header><h2>Engine options</h2></header>
    <div class="card-body stack-small">
      <p>${options.length > 0 ? html`<code>${options.join(" ")}</code>` : html`<span class="quiet">None: the engine's options are chosen by gglib.</span>`}</p>
      <p class="small quiet">They are set on the server's machine only:</p>
      <div class="command"><code>${command}</code><${Copy} text=${command} iconOnly label="Copy the command" /></div>
    </div>
  </section>`;
}
