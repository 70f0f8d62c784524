/** The settings of the chat. They hold from the next answer on. */

import { Button, Field, html, SelectField, TextField } from "../../ui/kit.js";
import { DEFAULT_MAX_TOKENS, NUMBERS, THINKING, changedCount, problemOf } from "./settings.js";
import { changeSetting, resetSettings, settings } from "./state.js";

/** @param {{choice: import("./models.js").Choice}} props */
export function SettingsForm({ choice }) {
  const values = settings.value;
  const area = (/** @type {string} */ name, /** @type {string} */ label, /** @type {number} */ rows, /** @type {string} */ hint) => html`<${Field} label=${label} hint=${hint}>
    ${(/** @type {object} */ attributes) => html`<textarea rows=${rows} value=${values[name] ?? ""} onInput=${(/** @type {any} */ event) => changeSetting(name, event.currentTarget.value)} ...${attributes}></textarea>`}
  <//>`;
  const limit = choice.isProfile ? "the profile's" : String(DEFAULT_MAX_TOKENS);
  return html`<div class="form">
    ${area("system", "System prompt", 3, choice.isProfile ? "Empty: the profile's." : "")}
    <div class="chat-numbers">${NUMBERS.map(({ name, label, low, high, step, hint }) => html`<${TextField} type="number" min=${low} max=${high} step=${step ?? "1"}
      label=${label} hint=${hint} error=${problemOf(values, name)} value=${values[name] ?? ""} placeholder=${name === "max_tokens" ? limit : "default"} onInput=${(/** @type {string} */ text) => changeSetting(name, text)} />`)}</div>
    ${area("stop", "Stop texts", 2, "One a line. The answer ends before one of them.")}
    <${SelectField} label="Thinking" value=${values.thinking ?? ""} onChange=${(/** @type {string} */ value) => changeSetting("thinking", value)} options=${THINKING}
      hint=${choice.canThink ? "" : `${choice.id} does not say that it can think.`} />
    <div class="form-actions"><${Button} small disabled=${changedCount(values) === 0} onClick=${resetSettings}>Reset all<//></div>
  </div>`;
}
