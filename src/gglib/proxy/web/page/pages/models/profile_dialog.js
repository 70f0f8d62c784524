/** Adds or edits a profile. */

import { api, Button, Dialog, ErrorNote, Field, html, segment, SelectField, TextField, toast, useState } from "../../ui/kit.js";
import { SAMPLING, formOf, profileOf } from "./profile_form.js";

/**
 * @typedef {import("../../lib/api_types.js").Profile} Profile
 * @typedef {import("./profile_form.js").Form} Form
 */

const FORM_ID = "profile-form";

/**
 * @param {{profile: Profile | null, model: string, names: string[], known: Profile[], onClose: () => void, onSaved: () => Promise<void>}} props
 * `profile`: null for a new one, of `model` at first; `names`: the models to choose from.
 */
export function ProfileDialog({ profile, model, names, known, onClose, onSaved }) {
  const [form, setForm] = useState(formOf(profile, model));
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [isSaving, setSaving] = useState(false);
  const field = (/** @type {"name" | "model" | "description" | "system" | "defaults" | "template_kwargs" | "strip"} */ name) => ({
    value: form[name],
    error: errors[name],
    onInput: (/** @type {string} */ value) => setForm({ ...form, [name]: value }),
  });
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const read = profileOf(form);
    const name = form.name.trim();
    const isTaken = profile === null && known.some((other) => other.name.toLowerCase() === name.toLowerCase() && (other.model ?? "") === form.model);
    const found = isTaken ? { ...read.errors, name: "There is a profile of this name: edit it, or choose another name." } : read.errors;
    setErrors(found);
    setError(null);
    if (Object.keys(found).length > 0) return;
    setSaving(true);
    try {
      await api.put(`/gglib/profiles/${segment(name)}`, read.profile, { query: { model: form.model } });
      toast(`Saved the profile ${name}.`, "success");
      await onSaved();
      onClose();
    } catch (failure) {
      setError(/** @type {Error} */ (failure));
      setSaving(false);
    }
  };
  const models = [{ value: "", label: "All models" }, ...names.map((name) => ({ value: name, label: name }))];
  return html`<${Dialog} wide title=${profile === null ? "Add a profile" : `Profile ${profile.name}`} onClose=${onClose} actions=${html`
      <${Button} onClick=${onClose}>Cancel<//>
      <${Button} kind="primary" type="submit" form=${FORM_ID} isBusy=${isSaving}>Save<//>`}>
    <form id=${FORM_ID} class="form" onSubmit=${save} noValidate>
      <${ErrorNote} error=${error} />
      ${profile === null ? html`<div class="form-row">
        <${TextField} label="Name" ...${field("name")} spellcheck="false" autocomplete="off" placeholder="precise" autofocus />
        <${SelectField} label="Belongs to" value=${form.model} options=${models} onChange=${(/** @type {string} */ value) => setForm({ ...form, model: value })} />
      </div>` : html`<p class="quiet">Belongs to ${profile.model ?? "all models"}.</p>`}
      <${TextField} label="Description" ...${field("description")} hint="One line, shown in lists of models." />
      <${TextArea} label="System prompt" rows=${3} ...${field("system")} hint="For requests without one." />
      <fieldset><legend>Sampling</legend><div class="form-row narrow">
        ${SAMPLING.map(({ name, label }) => html`<${TextField} key=${name} label=${label} inputmode="decimal" placeholder="as the request" autocomplete="off"
          value=${form.sampling[name] ?? ""} error=${errors[name]}
          onInput=${(/** @type {string} */ value) => setForm({ ...form, sampling: { ...form.sampling, [name]: value } })} />`)}
      </div></fieldset>
      <div class="form-row">
        <${TextArea} label="Other defaults" rows=${4} class="mono" ...${field("defaults")} hint='Request fields as JSON: {"stop": ["END"]}' />
        <${TextArea} label="Template values" rows=${4} class="mono" ...${field("template_kwargs")} hint='Members of chat_template_kwargs: {"enable_thinking": false}' />
      </div>
      <${TextField} label="Remove from requests" ...${field("strip")} spellcheck="false" autocomplete="off" hint="Names of fields, with commas between them: removed even if a request sets them." />
    </form>
  <//>`;
}

/** @param {{label: string, value: string, onInput: (value: string) => void, rows: number, hint?: unknown, error?: string, class?: string}} props */
function TextArea({ label, value, onInput, rows, hint, error, class: classes }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(/** @type {object} */ attributes) => html`<textarea rows=${rows} class=${classes} spellcheck="false" value=${value} onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.value)} ...${attributes}></textarea>`}
  <//>`;
}
