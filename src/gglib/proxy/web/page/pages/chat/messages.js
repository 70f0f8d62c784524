/** The messages of the chat: prompts and the ways to change them, answers with their figures, and the field for the next prompt. */

import { Button, confirmDialog, Copy, count, duration, ErrorNote, html, IconButton, now, rate, signal, status, statusAt, toast, useEffect, useLayoutEffect, useRef, useState } from "../../ui/kit.js";
import { Markdown } from "../../ui/markdown.js";
import { areValid, canContinue, imageBytes, imageProblem, partsOf } from "./conversation.js";
import { addPrompt, ask, choices, continueAnswer, cutFrom, isAnswering, live, messages, removeExchange, settings, waitText } from "./exchange.js";

/**
 * @typedef {import("./conversation.js").Answer} Answer
 * @typedef {import("./conversation.js").Prompt} Prompt
 * @typedef {import("./conversation.js").Picture} Picture
 * @typedef {import("./exchange.js").Choice} Choice
 * @typedef {{answer: Answer, startedAt: number}} Live What is received now: of a continued answer, only the new part.
 */

const MAX_HEIGHT_PX = 260;

/** What is typed and not sent. It stays while other pages are open. */
const draft = signal("");
/** @type {import("../../vendor/signals.js").Signal<Picture[]>} */
const pictures = signal([]);

/** @param {string} text */
export function setDraft(text) {
  draft.value = text;
  document.getElementById("chat-input")?.focus();
}

/** Move the focus to the field after an action whose control goes away; not where that opens a keyboard on the screen. */
export function focusComposer() {
  if (!hasKeyboard()) return;
  // A dialog that closes moves it first.
  setTimeout(() => document.getElementById("chat-input")?.focus({ preventScroll: true }));
}

/** Add images to the draft, if the model has vision. @param {File[]} files @param {Choice} choice */
export async function addFiles(files, choice) {
  const present = pictures.value.reduce((sum, { url }) => sum + imageBytes(url), 0);
  const problem = choice.hasVision ? imageProblem(files, present) : `${choice.id} cannot see images: choose a model with vision.`;
  try {
    if (problem !== null) throw new Error(problem);
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
  useLayoutEffect(() => {
    const field = /** @type {HTMLTextAreaElement} */ (area.current);
    field.style.height = "auto";
    field.style.height = `${Math.min(MAX_HEIGHT_PX, field.scrollHeight)}px`;
  }, [draft.value]);
  useEffect(focusComposer, []);
  const problem = pictures.value.length > 0 && !choice.hasVision ? `${choice.id} cannot see images: remove them, or choose a model with vision.`
    : areValid(settings.value) ? null : "A setting has a wrong value: open the settings.";
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
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    void addFiles([...event.clipboardData.files], choice);
  };
  const onFiles = (/** @type {any} */ { currentTarget }) => {
    void addFiles([...currentTarget.files], choice);
    currentTarget.value = "";
  };
  const attach = () => (choice.hasVision ? file.current?.click() : addFiles([], choice));
  return html`<div class="chat-composer">
    ${pictures.value.length > 0 && html`<ul class="chat-pictures" aria-label="Images">${pictures.value.map((image) => html`<li>
      <img src=${image.url} alt=${image.name} />
      <${IconButton} icon="close" label=${`Remove ${image.name}`} onClick=${() => { pictures.value = pictures.value.filter((other) => other !== image); }} />
    </li>`)}</ul>`}
    ${problem && html`<p class="hint bad" role="status">${problem}</p>`}
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
  return isAnswering.value
    ? html`<${Button} icon="stop" onClick=${() => live.value?.stop()}>Stop<//>`
    : html`<${Button} kind="primary" icon="send" aria-disabled=${canSend ? undefined : "true"} onClick=${onSend}>Send<//>`;
}

/** @param {{message: Prompt, choice: Choice, isLast: boolean}} props `isLast`: it has no answer. */
export function PromptView({ message: prompt, choice, isLast }) {
  const [isEditing, setEditing] = useState(false);
  if (isEditing) {
    const close = () => {
      setEditing(false);
      focusComposer();
    };
    return html`<${Editor} prompt=${prompt} choice=${choice} onClose=${close} />`;
  }
  const answer = () => {
    focusComposer();
    void ask(choice);
  };
  const remove = async () => {
    const text = isLast ? "The message is removed." : "The message and its answer are removed.";
    if (!(await confirmDialog({ title: "Delete this message?", text, action: "Delete", danger: true }))) return;
    removeExchange(prompt.id);
    focusComposer();
  };
  return html`<article class="chat-prompt">
    <h2 class="visually-hidden">You</h2>
    <div class="chat-bubble">
      ${prompt.images.length > 0 && html`<div class="chat-pictures">${prompt.images.map(({ url, name }) => url
        ? html`<img src=${url} alt=${name} />`
        : html`<span class="small">${name}: the tab had no room to keep this image</span>`)}</div>`}
      ${prompt.text && html`<p class="chat-text">${prompt.text}</p>`}
    </div>
    <div class="chat-actions">
      ${isLast && !isAnswering.value && html`<${Button} small icon="retry" onClick=${answer}>Answer<//>`}
      <${Copy} iconOnly text=${prompt.text} label="Copy the message" />
      <${IconButton} icon="edit" label="Edit the message" disabled=${isAnswering.value} onClick=${() => setEditing(true)} />
      <${IconButton} icon="trash" label="Delete the message" disabled=${isAnswering.value} onClick=${remove} />
    </div>
  </article>`;
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
  return html`<form class="chat-editor card" onSubmit=${submit}>
    <textarea aria-label="The message" rows="4" autofocus ref=${focusOnce} value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} onKeyDown=${onKeyDown}></textarea>
    <div class="row">
      <span class="hint">${messages.value.at(-1)?.id === prompt.id ? "" : "What follows this message is removed."}</span>
      <span class="push"></span>
      <${Button} small onClick=${onClose}>Cancel<//>
      <${Button} small kind="primary" type="submit" disabled=${isEmpty || isAnswering.value}>Send<//>
    </div>
  </form>`;
}

/** @param {{answer: Answer, choice: Choice, isLast: boolean, live?: Live}} props */
export function AnswerView({ answer, choice, isLast, live }) {
  const { thinking, text, isThinking } = partsOf(answer);
  const isNew = useRef(false);
  isNew.current ||= live !== undefined;
  return html`<article class="chat-answer" aria-busy=${live ? "true" : undefined}>
    <h2 class="chat-who">${answer.model}</h2>
    ${(thinking || (isThinking && live)) && html`<${Thinking} answer=${answer} text=${thinking} thinksSince=${isThinking ? live?.startedAt : undefined} />`}
    ${text && html`<${Markdown} text=${text} />`}
    ${live ? html`<${Progress} live=${live} />`
      : html`<${End} answer=${answer} text=${text} choice=${choice} isLast=${isLast} isNew=${isNew.current} />`}
  </article>`;
}

/** @param {{answer: Answer, text: string, thinksSince: number | undefined}} props */
function Thinking({ answer, text, thinksSince }) {
  const until = thinksSince === undefined ? answer.textAfter ?? answer.durationS : secondsSince(thinksSince);
  const time = until === null ? "" : duration(Math.max(0, until - (answer.firstAfter ?? 0)));
  return html`<details class="chat-thinking">
    <summary>${thinksSince === undefined ? "Thought for" : "Thinking,"} ${time}</summary>
    <p class="chat-text">${text}</p>
  </details>`;
}

/** @param {{live: Live}} props */
function Progress({ live }) {
  return html`<p class="chat-progress"><span class="chat-dots" aria-hidden="true"></span>${progressText(live)}</p>`;
}

/** @param {Live} live @returns {string} What the server does, until the answer is complete. */
function progressText({ answer, startedAt }) {
  const elapsedS = secondsSince(startedAt);
  if (answer.parts > 0) {
    const writingS = elapsedS - (answer.firstAfter ?? 0);
    return writingS > 1 ? `about ${speedText(answer.parts / writingS)}` : "answering";
  }
  const base = choices.value?.find((entry) => entry.id === answer.model)?.base ?? answer.model;
  return waitText(status.value, base, elapsedS, Math.max(0, (now.value - statusAt.value) / 1000));
}

/** @param {{answer: Answer, text: string, choice: Choice, isLast: boolean, isNew: boolean}} props `isNew`: it was received in this view. */
function End({ answer, text, choice, isLast, isNew }) {
  const { finish, error } = answer;
  const again = async () => {
    const question = { title: "Answer again?", text: "The answer and what follows it are removed.", action: "Answer again", danger: true };
    if (!isLast && !(await confirmDialog(question))) return;
    cutFrom(answer.id);
    focusComposer();
    void ask(choice);
  };
  const goOn = () => {
    focusComposer();
    void continueAnswer(choice, answer);
  };
  const reason = finish === "length" ? `Stopped at a limit: max tokens, or the context is full.${text ? "" : " All of it was thinking: allow more tokens, or turn thinking off."}`
    : finish === "interrupted" ? (text ? "Stopped." : "Stopped before the answer began.")
    : text ? null : "The model answered with nothing.";
  return html`
    ${error && html`<${ErrorNote} error=${{ message: error }} isAlert=${isLast && isNew} onRetry=${isLast && !isAnswering.value ? () => void again() : undefined} />`}
    ${isLast && !error && reason && html`<p class="hint">${reason}</p>`}
    <div class="chat-actions">
      ${text && html`<${Copy} iconOnly text=${text} label="Copy the answer" />`}
      <${IconButton} icon="retry" label="Answer again" disabled=${isAnswering.value} onClick=${() => void again()} />
      ${isLast && canContinue(answer) && html`<${Button} small icon="play" disabled=${isAnswering.value} onClick=${goOn}>Continue<//>`}
      <ul class="chat-figures" aria-label="Figures">${figuresOf(answer).map((figure) => html`<li>${figure}</li>`)}</ul>
    </div>`;
}

/** @param {Answer} answer @returns {string[]} */
function figuresOf({ usage, speed, firstAfter, durationS, parts }) {
  const { prompt = null, cached = null, written = null } = usage ?? {};
  return [
    speed === null ? "" : speedText(speed),
    written !== null ? `${count(written)} tokens` : parts > 0 ? `about ${count(parts)} tokens` : "",
    firstAfter === null ? "" : `first after ${duration(firstAfter)}`,
    prompt === null ? "" : `${count(prompt)} prompt tokens${cached === null ? "" : `, ${count(cached)} cached`}`,
    durationS === null ? "" : `${duration(durationS)} in all`,
  ].filter(Boolean);
}

/** @param {number} tokens Per second. */
function speedText(tokens) {
  return rate(tokens).replace("/s", "tokens/s");
}

/** @param {number} startedAt */
function secondsSince(startedAt) {
  return Math.max(0, Math.max(now.value, performance.now()) - startedAt) / 1000;
}

/** Without a keyboard, Enter is the only way to a new line. */
function hasKeyboard() {
  return matchMedia("(pointer: fine)").matches;
}

/** @param {HTMLTextAreaElement | null} area */
function focusOnce(area) {
  if (area === null) return;
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}

/** @param {File} file @returns {Promise<Picture>} */
function readImage(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ name: file.name || "image", url: String(reader.result) });
    reader.onerror = () => reject(new Error(`${file.name} could not be read.`));
    reader.readAsDataURL(file);
  });
}
