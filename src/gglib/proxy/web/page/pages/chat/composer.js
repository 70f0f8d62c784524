/** The field for the next message, with its images. */

import { Button, html, IconButton, signal, toast, useEffect, useLayoutEffect, useRef } from "../../ui/kit.js";
import { ask } from "./exchange.js";
import { imageBytes, imageProblem, readImage } from "./images.js";
import { areValid } from "./settings.js";
import { addPrompt, isAnswering, live, settings } from "./state.js";

/** @typedef {import("./models.js").Choice} Choice */

const MAX_HEIGHT_PX = 260;

/** What is typed and not sent. It stays while other pages are open. */
const draft = signal("");
/** @type {import("../../vendor/signals.js").Signal<import("./conversation.js").Picture[]>} */
const pictures = signal([]);

/** @param {string} text */
export function setDraft(text) {
  draft.value = text;
  document.getElementById("chat-input")?.focus();
}

/** Move the focus to the field after an action whose control goes away; not where that opens a keyboard on the screen. */
export function focusComposer() {
  if (!hasKeyboard()) return;
  setTimeout(() => document.getElementById("chat-input")?.focus({ preventScroll: true })); // a dialog that closes moves it first
}

/** Add images to the draft, if the model has vision. @param {File[]} files @param {Choice} choice */
export async function addFiles(files, choice) {
  const present = pictures.value.reduce((sum, image) => sum + imageBytes(image.url), 0);
  const problem = choice.hasVision ? imageProblem(files, present) : `${choice.id} cannot see images: choose a model with vision.`;
  if (problem !== null) {
    toast(problem, "error");
    return;
  }
  try {
    const read = await Promise.all(files.map(readImage));
    pictures.value = [...pictures.value, ...read];
  } catch (error) {
    toast(/** @type {Error} */ (error).message, "error");
  }
}

/** @param {{choice: Choice}} props */
export function Composer({ choice }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const file = useRef(/** @type {HTMLInputElement | null} */ (null));
  useLayoutEffect(() => fitHeight(area.current), [draft.value]);
  useEffect(focusComposer, []);
  const problem = problemOf(choice);
  const canSend = problem === null && (draft.value.trim() !== "" || pictures.value.length > 0);
  const send = () => {
    if (!canSend || isAnswering.value) return;
    addPrompt(draft.value.trim(), pictures.value);
    draft.value = "";
    pictures.value = [];
    void ask(choice);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const isSend = event.key === "Enter" && !event.isComposing && !event.shiftKey && (hasKeyboard() || event.ctrlKey || event.metaKey);
    if (!isSend) return;
    event.preventDefault();
    send();
  };
  const onPaste = (/** @type {ClipboardEvent} */ event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    void addFiles(files, choice);
  };
  const onFiles = (/** @type {any} */ event) => {
    void addFiles([...event.currentTarget.files], choice);
    event.currentTarget.value = "";
  };
  const attach = () => (choice.hasVision ? file.current?.click() : addFiles([], choice));
  return html`<div class="chat-composer">
    ${pictures.value.length > 0 ? html`<ul class="chat-pictures" aria-label="Images">${pictures.value.map((image) => html`<li>
      <img src=${image.url} alt=${image.name} />
      <${IconButton} icon="close" label=${`Remove ${image.name}`} onClick=${() => { pictures.value = pictures.value.filter((other) => other !== image); }} />
    </li>`)}</ul>` : null}
    ${problem ? html`<p class="hint bad" role="status">${problem}</p>` : null}
    <div class="chat-field">
      <${IconButton} icon="image" label=${choice.hasVision ? "Add images" : "Add images (this model cannot see them)"} onClick=${() => void attach()} />
      <input ref=${file} type="file" accept="image/png,image/jpeg,image/webp,image/gif" multiple hidden onChange=${onFiles} />
      <textarea id="chat-input" ref=${area} rows="1" aria-label=${`Message to ${choice.id}`} placeholder=${`Message ${choice.id}`} value=${draft.value}
        onInput=${(/** @type {any} */ event) => { draft.value = event.currentTarget.value; }} onKeyDown=${onKeyDown} onPaste=${onPaste}></textarea>
      <${SendButton} canSend=${canSend} onSend=${send} />
    </div>
    <p class="chat-keys">Enter sends, Shift-Enter starts a new line, Escape stops an answer.</p>
  </div>`;
}

/** One button for both, never disabled, so that the focus stays on it when an answer ends. @param {{canSend: boolean, onSend: () => void}} props */
function SendButton({ canSend, onSend }) {
  const isBusy = isAnswering.value;
  return html`<${Button} kind=${isBusy ? "plain" : "primary"} icon=${isBusy ? "stop" : "send"} aria-disabled=${!isBusy && !canSend ? "true" : undefined}
    onClick=${isBusy ? () => live.value?.stop() : onSend}>${isBusy ? "Stop" : "Send"}<//>`;
}

/** @param {Choice} choice @returns {string | null} Why nothing can be sent. */
function problemOf(choice) {
  if (pictures.value.length > 0 && !choice.hasVision) return `${choice.id} cannot see images: remove them, or choose a model with vision.`;
  return areValid(settings.value) ? null : "A setting has a wrong value: open the settings.";
}

/** Without a keyboard, Enter is the only way to a new line. */
function hasKeyboard() {
  return matchMedia("(pointer: fine)").matches;
}

/** @param {HTMLTextAreaElement | null} area */
function fitHeight(area) {
  if (area === null) return;
  area.style.height = "auto";
  area.style.height = `${Math.min(MAX_HEIGHT_PX, area.scrollHeight)}px`;
}
