/** Profiles: named defaults for requests, used as MODEL:PROFILE. */

import { api, Badge, Button, confirmDialog, Copy, Empty, ErrorNote, html, IconButton, Loading, segment, toast, useLoad, useState } from "../../ui/kit.js";
import { ProfileDialog } from "./profile_dialog.js";
import { summaryOf } from "./profile_form.js";

/** @typedef {import("../../lib/api_types.js").Profile} Profile */

/** @param {(profile: Profile) => boolean} isShown */
function useProfiles(isShown) {
  const { value, error, reload } = useLoad((signal) => api.get("/gglib/profiles", { signal }), []);
  return { profiles: value === null ? null : /** @type {Profile[]} */ (value.profiles).filter(isShown), all: value?.profiles ?? [], error, reload };
}

/** The profiles of a model: its own and those of all models. @param {{model: string}} props */
export function ProfilesCard({ model }) {
  const loaded = useProfiles((profile) => profile.model === model || profile.model === null);
  const [edited, setEdited] = useState(/** @type {{profile: Profile | null} | null} */ (null));
  return html`<section class="card">
    <header><h2>Profiles</h2><${Button} small icon="add" onClick=${() => setEdited({ profile: null })}>Add<//></header>
    <div class="card-body stack-small">
      <p class="small quiet">Defaults for requests, used as <code>${model}:NAME</code></p>
      <${ProfileList} ...${loaded} model=${model} onEdit=${(/** @type {Profile} */ profile) => setEdited({ profile })} />
    </div>
    ${edited ? html`<${ProfileDialog} profile=${edited.profile} model=${model} names=${[model]} known=${loaded.all} onClose=${() => setEdited(null)} onSaved=${loaded.reload} />` : null}
  </section>`;
}

/** All profiles. @param {{names: string[]}} props `names`: the models of the catalogue. */
export function ProfilesTab({ names }) {
  const loaded = useProfiles(() => true);
  const [edited, setEdited] = useState(/** @type {{profile: Profile | null} | null} */ (null));
  return html`<div class="stack">
    <div class="row"><p class="quiet">Named defaults for requests, used as <code>MODEL:PROFILE</code>. A profile belongs to one model or to all.</p>
      <span class="push"><${Button} icon="add" onClick=${() => setEdited({ profile: null })}>Add a profile<//></span></div>
    <div class="card card-body"><${ProfileList} ...${loaded} model=${null} onEdit=${(/** @type {Profile} */ profile) => setEdited({ profile })} /></div>
    ${edited ? html`<${ProfileDialog} profile=${edited.profile} model="" names=${names} known=${loaded.all} onClose=${() => setEdited(null)} onSaved=${loaded.reload} />` : null}
  </div>`;
}

/** @param {{profiles: Profile[] | null, error: Error | null, reload: () => Promise<void>, model: string | null, onEdit: (profile: Profile) => void}} props */
function ProfileList({ profiles, error, reload, model, onEdit }) {
  if (profiles === null) return error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : html`<${Loading} label="Reading the profiles" />`;
  if (profiles.length === 0) {
    return model === null
      ? html`<${Empty} title="No profiles yet"><p>A profile sets values such as the temperature or a system prompt for every request that names it.</p><//>`
      : html`<p class="quiet">None yet.</p>`;
  }
  return html`<ul class="profile-list">${profiles.map((profile) => html`<${ProfileRow} key=${`${profile.model} ${profile.name}`} profile=${profile} model=${model} reload=${reload} onEdit=${onEdit} />`)}</ul>`;
}

/** @param {{profile: Profile, model: string | null, reload: () => Promise<void>, onEdit: (profile: Profile) => void}} props */
function ProfileRow({ profile, model, reload, onEdit }) {
  const owner = model ?? profile.model;
  const name = owner === null ? profile.name : `${owner}:${profile.name}`;
  const remove = async () => {
    const isConfirmed = await confirmDialog({
      title: `Remove the profile ${profile.name}?`,
      text: `Requests for ${profile.model ?? "MODEL"}:${profile.name} will fail after this.`,
      action: "Remove",
      danger: true,
    });
    if (!isConfirmed) return;
    await api.del(`/gglib/profiles/${segment(profile.name)}`, { query: { model: profile.model } });
    toast(`Removed the profile ${profile.name}.`);
    await reload();
  };
  return html`<li>
    <div class="profile-text">
      <div class="row"><strong class="break">${model === null ? name : profile.name}</strong>${profile.model === null ? html`<${Badge}>all models<//>` : null}</div>
      ${profile.description ? html`<div class="break">${profile.description}</div>` : null}
      <div class="small quiet break">${summaryOf(profile)}</div>
    </div>
    <div class="nowrap">
      ${owner === null ? null : html`<${Copy} text=${name} iconOnly label=${`Copy ${name}`} />`}
      <${IconButton} icon="edit" label=${`Edit the profile ${profile.name}`} onClick=${() => onEdit(profile)} />
      <${IconButton} icon="trash" label=${`Remove the profile ${profile.name}`} onClick=${remove} />
    </div>
  </li>`;
}
