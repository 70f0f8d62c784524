/** Chat: talk to any model of this server, to try it. */

import { api, Button, computed, confirmDialog, connection, Dialog, Empty, ErrorNote, Field, html, IconButton, Loading, Menu, saveText, Select, SelectField, setQuery, status, TextField, useEffect, useLoad, useMemo, useRef, useState } from "../../ui/kit.js";
import { asJson, asMarkdown, changedCount, DEFAULT_MAX_TOKENS, endText, joined, NUMBERS, problemOf, THINKING } from "./conversation.js";
import { changeSettings, chatWith, chooseModel, choices, isAnswering, live, messages, resetSettings, settings, startNew, wantedModel } from "./exchange.js";
import { addFiles, AnswerView, Composer, focusComposer, PromptView, setDraft } from "./messages.js";

/** @typedef {import("./exchange.js").Choice} Choice */

const STATES = { ready: "in memory", loading: "loading", draining: "finishing its requests", stopping: "unloading" };
const NEAR_END_PX = 48;
const SUGGESTIONS = [
  "Explain what a context window is, in three sentences.",
  "Write a Python function that removes duplicates from a list and keeps the order.",
  "Compare HTTP/1.1 and HTTP/2 in a table.",
];

/** The place of the answer that is being received; it changes at the start and the end of an answer only. */
const liveId = computed(() => live.value?.continues?.id ?? live.value?.answer.id ?? null);

/** @param {{query: URLSearchParams}} props `?model=NAME` chooses a model. */
export function Page({ query }) {
  const residents = status.value?.residents ?? [];
  const { error, reload } = useLoad(async (signal) => {
    choices.value = choicesOf((await api.get("/v1/models", { signal })).data);
  }, [connection.value]);
  useEffect(() => {
    const wanted = query.get("model");
    if (wanted) {
      chooseModel(wanted);
      setQuery({});
    }
  }, [query]);
  useEffect(stopOnEscape, []);
  const all = choices.value;
  if (all === null) return html`<${Head} />${error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : html`<${Loading} label="Loading the models" />`}`;
  const choice = chosen(all, [wantedModel.value, ...residents.map((resident) => resident.model_name)]);
  if (choice === null) {
    return html`<${Head} /><${Empty} icon="chat" title="There is no model to chat with">
      <p><a href="#/find">Find a model</a> that fits this machine, or add one that you have: <code>gglib add FILE.gguf</code></p><//>`;
  }
  return html`<${Chat} all=${all} choice=${choice} residents=${residents} />`;
}

/** @param {any[]} data `GET /v1/models`. @returns {Choice[]} The models, aliases and profiles that can chat, in the order of the server. */
export function choicesOf(data) {
  const ids = new Set(data.map(({ id }) => id));
  return data
    .filter(({ capabilities }) => capabilities?.includes("chat") ?? true)
    .map(({ id, capabilities = [], description = "" }) => {
      const base = id.slice(0, Math.max(0, id.lastIndexOf(":")));
      const isProfile = ids.has(base);
      return { id, base: isProfile ? base : id, isProfile, hasVision: capabilities.includes("vision"), canThink: capabilities.includes("reasoning"), description };
    });
}

/**
 * @param {readonly Choice[]} choices @param {(string | null | undefined)[]} wanted Names, the most wanted first.
 * @returns {Choice | null} The first that exists, else the first model.
 */
export function chosen(choices, wanted) {
  const found = wanted.map((name) => choices.find(({ id }) => id === name));
  return found.find(Boolean) ?? choices[0] ?? null;
}

/** @param {Choice} choice @param {readonly {model_name: string, state: string}[]} residents @returns {string} */
export function choiceLabel({ id, base }, residents) {
  const state = residents.find((resident) => resident.model_name === base)?.state;
  const shown = STATES[/** @type {keyof typeof STATES} */ (state)];
  return shown ? `${id} (${shown})` : id;
}

/** @param {{all: Choice[], choice: Choice, residents: readonly any[]}} props */
function Chat({ all, choice, residents }) {
  const isWide = useIsWide();
  const [hasSettings, setSettings] = useState(false);
  const close = () => setSettings(false);
  const changed = changedCount(settings.value);
  const isEmpty = messages.value.length === 0;
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
        <${Button} small icon="settings" aria-expanded=${hasSettings} onClick=${() => setSettings(!hasSettings)}>Settings${changed > 0 && ` (${changed})`}<//>
        <${Button} small icon="add" disabled=${isEmpty && !isAnswering.value} onClick=${askAndStartNew}>New chat<//>
        <${Menu} label="More" items=${[
          { label: "Export as Markdown", icon: "load", disabled: isEmpty, onClick: () => saveChat("md", choice) },
          { label: "Export as JSON", icon: "load", disabled: isEmpty, onClick: () => saveChat("json", choice) },
        ]} />
      </div>
    <//>
    <div class="chat-body">
      <div class="chat-main">
        <${Thread} choice=${choice} />
        <${Composer} choice=${choice} />
      </div>
      ${hasSettings && isWide && html`<aside class="chat-side card" aria-label="Settings">
        <header><h2>Settings</h2><${IconButton} icon="close" label="Close the settings" onClick=${close} /></header>
        <div class="card-body"><${SettingsForm} choice=${choice} /></div>
      </aside>`}
    </div>
    ${hasSettings && !isWide && html`<${Dialog} title="Settings" onClose=${close}
      actions=${html`<${Button} kind="primary" onClick=${close}>Done<//>`}><${SettingsForm} choice=${choice} /><//>`}
  </div>`;
}

/** @param {{children?: unknown}} props */
function Head({ children }) {
  return html`<div class="page-head chat-head"><h1>Chat</h1>${children}</div>`;
}

/** The settings hold from the next answer on. @param {{choice: Choice}} props */
function SettingsForm({ choice }) {
  const values = settings.value;
  const change = (/** @type {string} */ name) => (/** @type {string} */ text) => changeSettings({ [name]: text });
  const area = (/** @type {string} */ name, /** @type {string} */ label, /** @type {number} */ rows, /** @type {string} */ hint) => html`<${Field} label=${label} hint=${hint}>
    ${(/** @type {object} */ attributes) => html`<textarea rows=${rows} value=${values[name] ?? ""} onInput=${(/** @type {any} */ event) => change(name)(event.currentTarget.value)} ...${attributes}></textarea>`}
  <//>`;
  const limit = choice.isProfile ? "the profile's" : DEFAULT_MAX_TOKENS;
  return html`<div class="form">
    ${area("system", "System prompt", 3, choice.isProfile ? "Empty: the profile's." : "")}
    <div class="chat-numbers">${NUMBERS.map(({ name, label, low, high, step = "1", hint = `${low} to ${high}` }) => html`<${TextField} type="number" min=${low} max=${high} step=${step}
      label=${label} hint=${hint} error=${problemOf(values, name)} value=${values[name] ?? ""} placeholder=${name === "max_tokens" ? limit : "default"} onInput=${change(name)} />`)}</div>
    ${area("stop", "Stop texts", 2, "One a line. The answer ends before one of them.")}
    <${SelectField} label="Thinking" value=${values.thinking ?? ""} onChange=${change("thinking")} options=${THINKING}
      hint=${choice.canThink ? "" : `${choice.id} does not say that it can think.`} />
    <div class="form-actions"><${Button} small disabled=${changedCount(values) === 0} onClick=${resetSettings}>Reset all<//></div>
  </div>`;
}

/** @param {{choice: Choice}} props */
function Thread({ choice }) {
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const thread = useRef(/** @type {HTMLDivElement | null} */ (null));
  const isFollowing = useRef(true);
  const lastTop = useRef(0);
  const [isAway, setAway] = useState(false);
  const toEnd = () => {
    const element = scroller.current;
    isFollowing.current = true;
    if (element) element.scrollTop = element.scrollHeight;
  };
  useEffect(() => {
    if (!thread.current) return undefined;
    const observer = new ResizeObserver(() => {
      if (isFollowing.current) toEnd();
    });
    observer.observe(thread.current);
    return () => observer.disconnect();
  }, []);
  const last = messages.value.at(-1);
  useEffect(() => {
    // It was just sent.
    if (last?.role === "user") toEnd();
  }, [last?.id]);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = /** @type {HTMLDivElement} */ (scroller.current);
    if (scrollHeight - scrollTop - clientHeight < NEAR_END_PX) isFollowing.current = true;
    // Up, by the user: the text itself only grows.
    else if (scrollTop < lastTop.current) isFollowing.current = false;
    lastTop.current = scrollTop;
    setAway(!isFollowing.current);
  };
  return html`<div class="chat-view">
    <div class="chat-scroll" ref=${scroller} onScroll=${onScroll} tabindex="0" role="region" aria-label="Messages">
      <div class="chat-thread" ref=${thread}>
        <${Messages} choice=${choice} />
      </div>
    </div>
    ${isAway && html`<div class="chat-jump"><${Button} small icon="down" onClick=${toEnd}>Newest<//></div>`}
    <${Announcement} />
  </div>`;
}

/** @param {{choice: Choice}} props */
function Messages({ choice }) {
  const all = messages.value;
  const id = liveId.value;
  if (all.length === 0 && id === null) return html`<${Welcome} choice=${choice} />`;
  const isNew = id !== null && all.every((message) => message.id !== id);
  const items = isNew ? [...all, { role: "assistant", id }] : all;
  return items.map((message, index) => {
    const View = message.role === "user" ? PromptView : AnswerSlot;
    return html`<${View} key=${message.id} message=${message} choice=${choice} isLast=${index === items.length - 1} isLive=${message.id === id} />`;
  });
}

/**
 * An answer, before and after it is complete: its view stays the same, and so does what it has drawn.
 * Only this is drawn again for each part of an answer.
 * @param {{message: import("./conversation.js").Answer, choice: Choice, isLast: boolean, isLive: boolean}} props
 */
function AnswerSlot({ message, choice, isLast, isLive }) {
  const current = isLive ? live.value : null;
  const answer = current === null ? message : current.continues === null ? current.answer : joined(current.continues, current.answer);
  return html`<${AnswerView} answer=${answer} choice=${choice} isLast=${isLast} live=${current ?? undefined} />`;
}

/** @param {{choice: Choice}} props */
function Welcome({ choice }) {
  return html`<div class="chat-welcome">
    <h2>Ask ${choice.id} something</h2>
    <p class="quiet">${choice.description || "The messages stay in this tab, until it is closed."}</p>
    <div class="chat-suggestions">${SUGGESTIONS.map((text) => html`<button type="button" class="button" onClick=${() => setDraft(text)}>${text}</button>`)}</div>
  </div>`;
}

/** Announces the start and the end of an answer to screen readers, not each of its words. */
function Announcement() {
  const [text, setText] = useState("");
  useEffect(() => {
    let wasAnswering = false;
    return live.subscribe((value) => {
      if ((value !== null) === wasAnswering) return;
      wasAnswering = value !== null;
      const last = messages.value.at(-1);
      setText(value === null ? endText(last?.role === "assistant" ? last : null) : `${value.answer.model} is answering.`);
    });
  }, []);
  return html`<p class="visually-hidden" role="status">${text}</p>`;
}

async function askAndStartNew() {
  const text = "The messages of this chat are removed. Export them first to keep them.";
  if (!(await confirmDialog({ title: "Start a new chat?", text, action: "New chat" }))) return;
  startNew();
  focusComposer();
}

/** @param {"md" | "json"} format @param {Choice} choice */
function saveChat(format, choice) {
  const write = format === "md" ? asMarkdown : asJson;
  saveText(`chat-${choice.base}.${format}`, write(chatWith(choice)));
}

function stopOnEscape() {
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && !event.defaultPrevented && document.querySelector("dialog[open]") === null) live.value?.stop();
  };
  document.addEventListener("keydown", onKeyDown);
  return () => document.removeEventListener("keydown", onKeyDown);
}

/** @returns {boolean} Whether there is room for the settings beside the messages. */
function useIsWide() {
  const wide = useMemo(() => matchMedia("(min-width: 1180px)"), []);
  const [isWide, setWide] = useState(wide.matches);
  useEffect(() => {
    const onChange = () => setWide(wide.matches);
    wide.addEventListener("change", onChange);
    return () => wide.removeEventListener("change", onChange);
  }, []);
  return isWide;
}
