/** The settings and profiles of models as forms, and what the views of models share. */

import { api, Badge, Button, Checkbox, confirmDialog, Copy, count, Dialog, Empty, ErrorNote, Field, html, IconButton, Loading, segment, Select, SelectField, TextField, toast, useEffect, useLoad, useState } from "../../ui/kit.js";
import { modelPath } from "./actions.js";
import { SAMPLING, changesOf, engineArgsCommand, profileForm, profileOf, rebased, settingsForm, summaryOf } from "./forms.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").Profile} Profile
 * @typedef {import("./forms.js").Errors} Errors
 * @typedef {import("./forms.js").SettingsForm} SettingsForm
 */

const STATE_TONES = /** @type {Record<string, string>} */ ({ ready: "ok", loading: "busy", draining: "warn", stopping: "warn" });

/** @param {Record<string, string>} titles By value. @returns {{value: string, label: string}[]} The options of a select. */
export const choices = (titles) => Object.entries(titles).map(([value, label]) => ({ value, label }));

const KINDS = choices({ "": "As in its header", chat: "Chat", embedding: "Embedding", rerank: "Rerank" });
const KEEPING = choices({ "": "Where no swap gets slower", true: "Always", false: "Never" });
const PRIORITIES = choices({ "": "Default", interactive: "Interactive", batch: "Batch" });

/** Attributes of fields for names and numbers. */
export const PLAIN = { spellcheck: "false", autocomplete: "off" };

/** What is shown before the first response. @param {{error: Error | null, onRetry?: () => unknown, label: string}} props */
export function Pending({ error, onRetry, label }) {
  return error ? html`<${ErrorNote} error=${error} onRetry=${onRetry} />` : html`<${Loading} label=${label} />`;
}

/** @param {{state: string | null | undefined}} props The state in memory. */
export function StateBadge({ state }) {
  return state ? html`<${Badge} tone=${STATE_TONES[state]}>${state}<//>` : html`<span class="quiet">–</span>`;
}

/**
 * What forms have in common: fields with their errors, and a state while they are sent.
 * @template {object} F @param {F} form @param {(form: F) => void} setForm
 */
export function useForm(form, setForm) {
  const [errors, setErrors] = useState(/** @type {Errors} */ ({}));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const shown = new Set();
  const field = (/** @type {keyof F & string} */ name) => {
    shown.add(name);
    return { value: form[name], error: errors[name], onInput: (/** @type {string} */ value) => setForm({ ...form, [name]: value }) };
  };
  /** @param {Errors} found With any of them, nothing is sent. @param {() => Promise<unknown>} [send] Its error is shown at the field, if it is about one. */
  const submit = async (found, send) => {
    setErrors(found);
    setError(null);
    if (send === undefined || Object.keys(found).length > 0) return;
    setBusy(true);
    try {
      await send();
    } catch (caught) {
      const failure = /** @type {import("../../lib/api.js").ApiError} */ (caught);
      if (shown.has(failure.param)) setErrors({ [String(failure.param)]: failure.message });
      else setError(failure);
    }
    setBusy(false);
  };
  return { field, submit, errors, error, isBusy };
}

/** @param {{error: Error | null, onSubmit: () => unknown, children?: unknown, [attribute: string]: unknown}} props `error`: of the whole form. */
function Form({ error, onSubmit, children, ...rest }) {
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    onSubmit();
  };
  return html`<form onSubmit=${submit} noValidate ...${rest}><${ErrorNote} error=${error} />${children}</form>`;
}

/** @param {{title: string, action: string, error: Error | null, isBusy: boolean, disabled?: boolean, wide?: boolean, onSubmit: () => unknown, onClose: () => void, children?: unknown}} props */
export function FormDialog({ title, action, error, isBusy, disabled, wide, onSubmit, onClose, children }) {
  return html`<${Dialog} wide=${wide} title=${title} onClose=${onClose} actions=${html`
      <${Button} onClick=${onClose}>Cancel<//>
      <${Button} kind="primary" type="submit" form="dialog-form" isBusy=${isBusy} disabled=${disabled}>${action}<//>`}>
    <${Form} id="dialog-form" class="form" error=${error} onSubmit=${onSubmit}>${children}<//>
  <//>`;
}

/** @param {{model: Model, onChanged: (model: Model) => Promise<void>}} props */
export function SettingsCard({ model, onChanged }) {
  const current = settingsForm(model);
  const [{ before, form }, setState] = useState({ before: current, form: current });
  const setForm = (/** @type {SettingsForm} */ changed) => setState({ before, form: changed });
  useEffect(() => setState({ before: current, form: rebased(before, form, current) }), [JSON.stringify(current)]);
  const { field, submit, error, isBusy } = useForm(form, setForm);
  const { changes, errors } = changesOf(before, form);
  const isChanged = JSON.stringify(form) !== JSON.stringify(before);
  const save = () => submit(errors, async () => {
    const saved = await api.patch(modelPath(model.name), changes);
    toast(`Saved the settings of ${saved.name}.`, "success");
    setState((now) => ({ before: settingsForm(saved), form: rebased(form, now.form, settingsForm(saved)) }));
    await onChanged(saved);
  });
  return html`<section class="card">
    <header><h2>Settings</h2></header>
    <${Form} class="card-body form" error=${error} onSubmit=${save}>
      <${TextField} label="Name" ...${PLAIN} ...${field("name")} hint="Clients use it as the model. A model in memory is unloaded when its name changes." />
      <${TextField} label="Aliases" ...${PLAIN} ...${field("aliases")} hint="Further names, with commas between them." />
      <div class="form-row">
        <${TextField} label="Context" ...${PLAIN} ...${field("context")} inputmode="numeric" placeholder="default" hint=${`Tokens of each request; trained for ${count(model.trained_context)}.`} />
        <${TextField} label="Unload when idle for" ...${PLAIN} ...${field("idle_ttl_s")} placeholder="never" hint="30s, 10m, 2h; empty: never." />
      </div>
      <div class="form-row">
        <${Choice} label="Served for" options=${KINDS} ...${field("kind")} />
        <${Choice} label="Priority of its requests" options=${PRIORITIES} ...${field("priority")} />
      </div>
      <div class="form-row">
        <${Choice} label="Keep conversations while it is not in memory" options=${KEEPING} ...${field("keep_conversations")} />
        <${TextField} label="Tags" ...${PLAIN} ...${field("tags")} />
      </div>
      <${Checkbox} label="Pinned: stays in memory once it is loaded" checked=${form.is_pinned} onChange=${(/** @type {boolean} */ isPinned) => setForm({ ...form, is_pinned: isPinned })} />
      <div class="form-actions">
        ${isChanged ? html`<${Button} kind="ghost" onClick=${() => { setForm(before); void submit({}); }}>Reset<//>` : null}
        <${Button} kind="primary" type="submit" disabled=${!isChanged} isBusy=${isBusy}>Save<//>
      </div>
    <//>
  </section>`;
}

/** @param {{label: string, options: {value: string, label: string}[], error?: string, onInput: (value: string) => void, value: string}} props */
function Choice({ label, options, error, onInput, value }) {
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

/** The profiles of a model: its own and those of all models. @param {{model: string}} props */
export function ProfilesCard({ model }) {
  const { add, list, dialog } = useProfiles(model, [model]);
  return html`<section class="card">
    <header><h2>Profiles</h2><${Button} small icon="add" onClick=${add}>Add<//></header>
    <div class="card-body stack-small">
      <p class="small quiet">Defaults for requests, used as <code>${model}:NAME</code></p>
      ${list}
    </div>
    ${dialog}
  </section>`;
}

/** All profiles. @param {{names: string[]}} props `names`: the models of the catalogue. */
export function ProfilesTab({ names }) {
  const { add, list, dialog } = useProfiles(null, names);
  return html`<div class="stack">
    <div class="row"><p class="quiet">Named defaults for requests, used as <code>MODEL:PROFILE</code>. A profile belongs to one model or to all.</p>
      <span class="push"><${Button} icon="add" onClick=${add}>Add a profile<//></span></div>
    <div class="card card-body">${list}</div>
    ${dialog}
  </div>`;
}

/** @param {string | null} model Null: the profiles of all models. @param {string[]} names The models to choose from. */
function useProfiles(model, names) {
  const { value, error, reload } = useLoad((signal) => api.get("/gglib/profiles", { signal }), []);
  const [edited, setEdited] = useState(/** @type {{profile: Profile | null} | null} */ (null));
  /** @type {Profile[]} */
  const all = value?.profiles ?? [];
  const shown = all.filter((profile) => model === null || profile.model === model || profile.model === null);
  const list = value === null
    ? html`<${Pending} error=${error} onRetry=${reload} label="Reading the profiles" />`
    : shown.length > 0
      ? html`<ul class="profile-list">${shown.map((profile) => html`<${ProfileRow} key=${`${profile.model} ${profile.name}`} profile=${profile} model=${model} reload=${reload} onEdit=${() => setEdited({ profile })} />`)}</ul>`
      : model === null
        ? html`<${Empty} title="No profiles yet"><p>A profile sets values such as the temperature or a system prompt for every request that names it.</p><//>`
        : html`<p class="quiet">None yet.</p>`;
  const dialog = edited && html`<${ProfileDialog} profile=${edited.profile} model=${model ?? ""} names=${names} known=${all} onClose=${() => setEdited(null)} onSaved=${reload} />`;
  return { add: () => setEdited({ profile: null }), list, dialog };
}

/** @param {{profile: Profile, model: string | null, reload: () => Promise<void>, onEdit: () => void}} props */
function ProfileRow({ profile, model, reload, onEdit }) {
  const { name, description } = profile;
  const owner = model ?? profile.model;
  const used = owner === null ? name : `${owner}:${name}`;
  const remove = async () => {
    const isConfirmed = await confirmDialog({
      title: `Remove the profile ${name}?`,
      text: `Requests for ${profile.model ?? "MODEL"}:${name} will fail after this.`,
      action: "Remove",
      danger: true,
    });
    if (!isConfirmed) return;
    await api.del(`/gglib/profiles/${segment(name)}`, { query: { model: profile.model } });
    toast(`Removed the profile ${name}.`);
    await reload();
  };
  return html`<li>
    <div class="profile-text">
      <div class="row"><strong class="break">${model === null ? used : name}</strong>${profile.model === null ? html`<${Badge}>all models<//>` : null}</div>
      ${description ? html`<div class="break">${description}</div>` : null}
      <div class="small quiet break">${summaryOf(profile)}</div>
    </div>
    <div class="nowrap">
      ${owner === null ? null : html`<${Copy} text=${used} iconOnly label=${`Copy ${used}`} />`}
      <${IconButton} icon="edit" label=${`Edit the profile ${name}`} onClick=${onEdit} />
      <${IconButton} icon="trash" label=${`Remove the profile ${name}`} onClick=${remove} />
    </div>
  </li>`;
}

/**
 * Adds or edits a profile.
 * @param {{profile: Profile | null, model: string, names: string[], known: Profile[], onClose: () => void, onSaved: () => Promise<void>}} props
 * `profile`: null for a new one, of `model` at first; `names`: the models to choose from.
 */
function ProfileDialog({ profile, model, names, known, onClose, onSaved }) {
  const [form, setForm] = useState(profileForm(profile, model));
  const { field, submit, errors, error, isBusy } = useForm(form, setForm);
  const save = () => {
    const read = profileOf(form);
    const name = form.name.trim();
    const isTaken = profile === null && known.some((other) => other.name.toLowerCase() === name.toLowerCase() && (other.model ?? "") === form.model);
    if (isTaken) read.errors.name = "There is a profile of this name: edit it, or choose another name.";
    return submit(read.errors, async () => {
      await api.put(`/gglib/profiles/${segment(name)}`, read.profile, { query: { model: form.model } });
      toast(`Saved the profile ${name}.`, "success");
      await onSaved();
      onClose();
    });
  };
  const models = ["", ...names].map((name) => ({ value: name, label: name || "All models" }));
  return html`<${FormDialog} wide title=${profile === null ? "Add a profile" : `Profile ${profile.name}`} action="Save" error=${error} isBusy=${isBusy} onSubmit=${save} onClose=${onClose}>
    ${profile === null ? html`<div class="form-row">
      <${TextField} label="Name" ...${PLAIN} ...${field("name")} placeholder="precise" autofocus />
      <${SelectField} label="Belongs to" value=${form.model} options=${models} onChange=${(/** @type {string} */ value) => setForm({ ...form, model: value })} />
    </div>` : html`<p class="quiet">Belongs to ${profile.model ?? "all models"}.</p>`}
    <${TextField} label="Description" ...${field("description")} hint="One line, shown in lists of models." />
    <${TextArea} label="System prompt" rows=${3} ...${field("system")} hint="For requests without one." />
    <fieldset><legend>Sampling</legend><div class="form-row narrow">
      ${SAMPLING.map(({ name, label }) => html`<${TextField} key=${name} label=${label} ...${PLAIN} inputmode="decimal" placeholder="as the request"
        value=${form.sampling[name] ?? ""} error=${errors[name]}
        onInput=${(/** @type {string} */ value) => setForm({ ...form, sampling: { ...form.sampling, [name]: value } })} />`)}
    </div></fieldset>
    <div class="form-row">
      <${TextArea} label="Other defaults" rows=${4} class="mono" ...${field("defaults")} hint='Request fields as JSON: {"stop": ["END"]}' />
      <${TextArea} label="Template values" rows=${4} class="mono" ...${field("template_kwargs")} hint='Members of chat_template_kwargs: {"enable_thinking": false}' />
    </div>
    <${TextField} label="Remove from requests" ...${PLAIN} ...${field("strip")} hint="Names of fields, with commas between them: removed even if a request sets them." />
  <//>`;
}

/** @param {{label: string, hint: string, error?: string, onInput: (value: string) => void, [attribute: string]: unknown}} props */
function TextArea({ label, hint, error, onInput, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(/** @type {object} */ attributes) => html`<textarea spellcheck="false" onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.value)} ...${rest} ...${attributes}></textarea>`}
  <//>`;
}
