/** A prompt: its text and images, and the ways to change it. */

import { Button, confirmDialog, Copy, html, IconButton, useState } from "../../ui/kit.js";
import { focusComposer } from "./composer.js";
import { ask } from "./exchange.js";
import { addPrompt, isAnswering, messages, removeExchange } from "./state.js";

/**
 * @typedef {import("./conversation.js").Prompt} Prompt
 * @typedef {import("./models.js").Choice} Choice
 */

/** @param {{message: Prompt, choice: Choice, isLast: boolean}} props `isLast`: it has no answer. */
export function PromptView({ message: prompt, choice, isLast }) {
  const [isEditing, setEditing] = useState(false);
  const close = () => {
    setEditing(false);
    focusComposer();
  };
  const answer = () => {
    focusComposer();
    void ask(choice);
  };
  if (isEditing) return html`<${Editor} prompt=${prompt} choice=${choice} onClose=${close} />`;
  const remove = async () => {
    const text = isLast ? "The message is removed." : "The message and its answer are removed.";
    if (!(await confirmDialog({ title: "Delete this message?", text, action: "Delete", danger: true }))) return;
    removeExchange(prompt.id);
    focusComposer();
  };
  return html`<article class="chat-prompt">
    <h2 class="visually-hidden">You</h2>
    <div class="chat-bubble">
      <${Pictures} images=${prompt.images} />
      ${prompt.text ? html`<p class="chat-text">${prompt.text}</p>` : null}
    </div>
    <div class="chat-actions">
      ${isLast && !isAnswering.value ? html`<${Button} small icon="retry" onClick=${answer}>Answer<//>` : null}
      <${Copy} iconOnly text=${prompt.text} label="Copy the message" />
      <${IconButton} icon="edit" label="Edit the message" disabled=${isAnswering.value} onClick=${() => setEditing(true)} />
      <${IconButton} icon="trash" label="Delete the message" disabled=${isAnswering.value} onClick=${remove} />
    </div>
  </article>`;
}

/** @param {{images: import("./conversation.js").Picture[]}} props */
function Pictures({ images }) {
  if (images.length === 0) return null;
  return html`<div class="chat-pictures">${images.map((image) => image.url
    ? html`<img src=${image.url} alt=${image.name} />`
    : html`<span class="small">${image.name}: the tab had no room to keep this image</span>`)}</div>`;
}

/** @param {{prompt: Prompt, choice: Choice, onClose: () => void}} props */
function Editor({ prompt, choice, onClose }) {
  const [text, setText] = useState(prompt.text);
  const isEmpty = text.trim() === "" && prompt.images.length === 0;
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (isEmpty || isAnswering.value) return;
    onClose();
    addPrompt(text, prompt.images, prompt.id);
    void ask(choice);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      onClose();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  const following = messages.value.length - 1 - messages.value.findIndex((message) => message.id === prompt.id);
  return html`<form class="chat-editor card" onSubmit=${submit}>
    <textarea aria-label="The message" rows="4" autofocus ref=${focusOnce} value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} onKeyDown=${onKeyDown}></textarea>
    <div class="row">
      <span class="hint">${following > 0 ? "What follows this message is removed." : ""}</span>
      <span class="push"></span>
      <${Button} small onClick=${onClose}>Cancel<//>
      <${Button} small kind="primary" type="submit" disabled=${isEmpty || isAnswering.value}>Send<//>
    </div>
  </form>`;
}

/** @param {HTMLTextAreaElement | null} area */
function focusOnce(area) {
  if (area === null) return;
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}
