/** Chat: talk to any model of this server, to try it. */

import { api, Button, confirmDialog, connection, Dialog, Empty, ErrorNote, html, IconButton, key, Loading, Menu, Select, setQuery, status, useEffect, useState } from "../../ui/kit.js";
import { Composer, addFiles, focusComposer } from "./composer.js";
import { exportChat } from "./export.js";
import { choiceLabel, choicesOf, chosen } from "./models.js";
import { changedCount } from "./settings.js";
import { SettingsForm } from "./settings_form.js";
import { chooseModel, choices, isAnswering, live, messages, settings, startNew, wantedModel } from "./state.js";
import { Thread } from "./thread.js";

const WIDE = "(min-width: 1180px)";

/** @param {{query: URLSearchParams}} props `?model=NAME` chooses a model. */
export function Page({ query }) {
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const residents = status.value?.residents ?? [];
  const load = () => api.get("/v1/models")
    .then(({ data }) => {
      choices.value = choicesOf(data);
      setError(null);
    })
    .catch(setError);
  useEffect(() => {
    const wanted = query.get("model");
    if (wanted) {
      chooseModel(wanted);
      setQuery({});
    }
  }, [query]);
  useEffect(() => {
    void load();
  }, [connection.value, key.value]);
  useEffect(stopOnEscape, []);
  const all = choices.value;
  if (all === null) return html`<${Head} />${error ? html`<${ErrorNote} error=${error} onRetry=${load} />` : html`<${Loading} label="Loading the models" />`}`;
  const choice = chosen(all, [wantedModel.value, ...residents.map((resident) => resident.model_name)]);
  if (choice === null) return html`<${Head} /><${NoModels} />`;
  return html`<${Chat} all=${all} choice=${choice} residents=${residents} />`;
}

/** @param {{all: import("./models.js").Choice[], choice: import("./models.js").Choice, residents: readonly any[]}} props */
function Chat({ all, choice, residents }) {
  const isWide = useMedia(WIDE);
  const [hasSettings, setSettings] = useState(false);
  const changed = changedCount(settings.value);
  const drop = (/** @type {DragEvent} */ event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    void addFiles([...event.dataTransfer.files], choice);
  };
  return html`<div class="chat" onDragOver=${(/** @type {Event} */ event) => event.preventDefault()} onDrop=${drop}>
    <${Head}>
      <${Select} aria-label="Model" class="chat-model" value=${choice.id} onChange=${chooseModel}
        options=${all.map((entry) => ({ value: entry.id, label: choiceLabel(entry, residents) }))} />
      <div class="chat-tools">
        <${Button} small icon="settings" aria-expanded=${String(hasSettings)} onClick=${() => setSettings(!hasSettings)}>Settings${changed > 0 ? ` (${changed})` : ""}<//>
        <${Button} small icon="add" disabled=${messages.value.length === 0 && !isAnswering.value} onClick=${askAndStartNew}>New chat<//>
        <${Menu} label="More" items=${[
          { label: "Export as Markdown", icon: "load", disabled: messages.value.length === 0, onClick: () => exportChat("md", choice) },
          { label: "Export as JSON", icon: "load", disabled: messages.value.length === 0, onClick: () => exportChat("json", choice) },
        ]} />
      </div>
    <//>
    <div class="chat-body">
      <div class="chat-main">
        <${Thread} choice=${choice} />
        <${Composer} choice=${choice} />
      </div>
      ${hasSettings && isWide ? html`<aside class="chat-side card" aria-label="Settings">
        <header><h2>Settings</h2><${IconButton} icon="close" label="Close the settings" onClick=${() => setSettings(false)} /></header>
        <div class="card-body"><${SettingsForm} choice=${choice} /></div>
      </aside>` : null}
    </div>
    ${hasSettings && !isWide ? html`<${Dialog} title="Settings" onClose=${() => setSettings(false)}
      actions=${html`<${Button} kind="primary" onClick=${() => setSettings(false)}>Done<//>`}><${SettingsForm} choice=${choice} /><//>` : null}
  </div>`;
}

/** @param {{children?: unknown}} props */
function Head({ children }) {
  return html`<div class="page-head chat-head"><h1>Chat</h1>${children}</div>`;
}

function NoModels() {
  return html`<${Empty} icon="chat" title="There is no model to chat with">
    <p><a href="#/find">Find a model</a> that fits this machine, or add one that you have: <code>gglib add FILE.gguf</code></p><//>`;
}

async function askAndStartNew() {
  const text = "The messages of this chat are removed. Export them first to keep them.";
  if (!(await confirmDialog({ title: "Start a new chat?", text, action: "New chat" }))) return;
  startNew();
  focusComposer();
}

function stopOnEscape() {
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && !event.defaultPrevented && document.querySelector("dialog[open]") === null) live.value?.stop();
  };
  document.addEventListener("keydown", onKeyDown);
  return () => document.removeEventListener("keydown", onKeyDown);
}

/** @param {string} query @returns {boolean} */
function useMedia(query) {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const onChange = () => setMatches(list.matches);
    list.addEventListener("change", onChange);
    return () => list.removeEventListener("change", onChange);
  }, [query]);
  return matches;
}
