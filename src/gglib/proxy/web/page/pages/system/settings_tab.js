/** The settings in use, where each comes from, and how it is changed. */

import { api, Badge, Button, Checkbox, counted, ErrorNote, html, Loading, Note, SearchInput, useLoad, useState } from "../../ui/kit.js";
import { Command, MessageText } from "./message_text.js";
import { changeCommand, changeNote, foundSettings, reloadText, sourceText } from "./setting_texts.js";

/** @typedef {import("../../lib/api_types.js").SettingValue} Setting */

export function SettingsTab() {
  const [search, setSearch] = useState("");
  const [isSetOnly, setSetOnly] = useState(false);
  const [reloaded, setReloaded] = useState(/** @type {import("../../lib/api_types.js").Reloaded | null} */ (null));
  const table = useLoad((signal) => api.get("/gglib/settings", { signal }), []);
  const reload = async () => {
    setReloaded(await api.post("/gglib/reload"));
    await table.reload();
  };
  const found = foundSettings(table.value?.settings ?? [], search, isSetOnly);
  return html`<section class="stack" aria-label="Settings">
    <div class="row">
      <${SearchInput} label="Search settings" value=${search} onInput=${setSearch} />
      <${Checkbox} label="Only those that are set" checked=${isSetOnly} onChange=${setSetOnly} />
      <span class="push"></span>
      <${Button} icon="retry" onClick=${reload}>Reload config.toml<//>
    </div>
    <div aria-live="polite">${reloaded ? html`<${ReloadResult} reloaded=${reloaded} />` : null}</div>
    <${ErrorNote} error=${table.error} onRetry=${table.reload} />
    ${table.value === null ? table.isLoading ? html`<${Loading} label="Loading" />` : null : html`
      <p class="quiet small">${counted(found.length, "setting")}. File: <code>${table.value.path}</code></p>
      ${found.length === 0 ? html`<p class="quiet">No setting matches.</p>` : html`<div class="card"><table class="settings">
        <thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">Source</th><th scope="col">Change</th></tr></thead>
        <tbody>${found.map((/** @type {Setting} */ setting) => html`<${SettingRow} key=${setting.setting} setting=${setting} />`)}</tbody>
      </table></div>`}`}
  </section>`;
}

/** @param {{setting: Setting}} props */
function SettingRow({ setting }) {
  return html`<tr>
    <th scope="row"><code>${setting.setting}</code><p class="hint">${setting.help}</p></th>
    <td>${setting.shown === "" ? html`<span class="quiet">not set</span>` : html`<code>${setting.shown}</code>`}</td>
    <td>${setting.source === "default" ? html`<span class="quiet">default</span>` : html`<${Badge} tone="accent">${setting.source}<//>`}
      ${setting.overrides.length > 0 ? html`<p class="hint">${sourceText(setting)}</p>` : null}</td>
    <td><${Command} text=${changeCommand(setting)} /><p class="hint">${changeNote(setting)}</p></td>
  </tr>`;
}

/** @param {{reloaded: import("../../lib/api_types.js").Reloaded}} props */
function ReloadResult({ reloaded }) {
  const needsRestart = reloaded.settings.some((change) => !change.applied);
  return html`<${Note} tone=${reloaded.warnings.length > 0 || needsRestart ? "warn" : "ok"}>
    <p><b>Reloaded.</b> ${reloadText(reloaded)}</p>
    <ul>${reloaded.settings.map((change) => html`<li key=${change.setting}><code>${change.setting}</code>: ${change.old ?? "…"} → ${change.new ?? "…"}${change.applied ? "" : ", needs a restart"}</li>`)}
      ${reloaded.warnings.map((warning) => html`<li key=${warning}><${MessageText} text=${warning} /></li>`)}</ul>
  <//>`;
}
