/** The chat of this tab, its storage, its requests and what they wait for. It outlives the page's view: an answer continues while another page is open. */

import { ApiError, batch, computed, duration, signal, streamEvents } from "../../ui/kit.js";
import { askedContinuationBody, before, continuationBody, emptyAnswer, ended, joined, nextId, NO_SETTINGS, received, requestBody, requestFields, withoutExchange } from "./conversation.js";

/**
 * @typedef {import("./conversation.js").Message} Message
 * @typedef {import("./conversation.js").Picture} Picture
 * @typedef {import("./conversation.js").Answer} Answer
 * @typedef {{id: string, base: string, isProfile: boolean, hasVision: boolean, canThink: boolean, description: string}} Choice `base`: the model of a profile.
 * @typedef {{model_name: string, state: string, in_flight: number, loading_for_s?: number | null, expected_load_s?: number | null}} Resident
 * @typedef {{model_name: string, runs_in_s?: number | null}} Waiting
 * @typedef {{model: string, settings: import("./conversation.js").Settings, messages: Message[]}} Stored
 */

const STORED = "gglib.chat";
/** Browsers keep about 5 million characters. */
const MAX_IMAGE_CHARS = 3_000_000;
const RENDER_SHARE = 4;

const stored = readChat();

/** @type {import("../../vendor/signals.js").Signal<Message[]>} */
export const messages = signal(stored?.messages ?? []);

/** @type {import("../../vendor/signals.js").Signal<import("./conversation.js").Settings>} */
export const settings = signal({ ...NO_SETTINGS, ...stored?.settings });

/** The name of the chosen model; empty: none was chosen. */
export const wantedModel = signal(stored?.model ?? "");

/** The models to choose from; null: not loaded. @type {import("../../vendor/signals.js").Signal<Choice[] | null>} */
export const choices = signal(null);

/**
 * The answer that is being received. `continues`: the answer before it, which it goes on from.
 * @type {import("../../vendor/signals.js").Signal<{answer: Answer, continues: Answer | null, startedAt: number, stop: () => void} | null>}
 */
export const live = signal(null);

export const isAnswering = computed(() => live.value !== null);

/** @param {string} model */
export function chooseModel(model) {
  wantedModel.value = model;
  save();
}

/** @param {import("./conversation.js").Settings} changed Those that change. */
export function changeSettings(changed) {
  settings.value = { ...settings.value, ...changed };
  save();
}

export function resetSettings() {
  settings.value = NO_SETTINGS;
  save();
}

/** @param {string} text @param {Picture[]} images @param {number} [replacedId] A prompt that it replaces, with what follows it. */
export function addPrompt(text, images, replacedId) {
  const kept = replacedId === undefined ? messages.value : before(messages.value, replacedId);
  keep([...kept, { role: "user", id: nextId(messages.value), text, images }]);
}

/** Remove an answer and what follows it. @param {number} id */
export function cutFrom(id) {
  keep(before(messages.value, id));
}

/** @param {number} id A prompt. */
export function removeExchange(id) {
  keep(withoutExchange(messages.value, id));
}

/** Remove all messages; the model and the settings stay. */
export function startNew() {
  const stop = live.value?.stop;
  batch(() => {
    live.value = null;
    keep([]);
  });
  stop?.();
}

/** @param {Choice} choice The chat as it would be sent to this model. */
export function chatWith(choice) {
  return { model: choice.id, system: settings.value.system ?? "", messages: messages.value, fields: requestFields(settings.value, choice) };
}

/** Ask for the answer to the last prompt. @param {Choice} choice @returns {Promise<void>} Never rejects: errors belong to the answer. */
export function ask(choice) {
  return exchange(choice, null, [requestBody(chatWith(choice))]);
}

/**
 * Continue the last answer: by the engine, or, if it refuses, by asking the model.
 * @param {Choice} choice @param {Answer} answer
 */
export function continueAnswer(choice, answer) {
  const whole = requestBody(chatWith(choice));
  return exchange(choice, answer, [continuationBody(whole), askedContinuationBody(whole)]);
}

/**
 * Why a request has no answer yet, as one sentence.
 * @param {{residents: readonly Resident[], waiting: readonly Waiting[]} | null} status
 * @param {string} model Its name in the catalogue. @param {number} waitedS @param {number} ageS The age of the status.
 * @returns {string}
 */
export function waitText(status, model, waitedS, ageS) {
  const { residents = [], waiting = [] } = status ?? {};
  const own = residents.find((resident) => resident.model_name === model);
  if (own?.state === "loading") {
    const expected = own.expected_load_s ? ` of about ${whole(own.expected_load_s)}` : "";
    return `Loading ${model}, ${whole((own.loading_for_s ?? 0) + ageS)}${expected}`;
  }
  const so = `${whole(waitedS)} so far`;
  const queued = waiting.find((entry) => entry.model_name === model);
  if (queued === undefined) return waitedS < 1 ? "Waiting for the answer" : `Waiting for the first token of ${model}, ${so}`;
  const runsInS = (queued.runs_in_s ?? 0) - ageS;
  const expected = runsInS > 0.5 ? `, about ${whole(runsInS)} more` : "";
  return `${reasonOf(residents, model)}, ${so}${expected}`;
}

/**
 * @param {Choice} choice @param {Answer | null} continues
 * @param {Record<string, any>[]} bodies The next one is sent if the server refuses one before an answer.
 */
async function exchange(choice, continues, bodies) {
  if (live.value !== null) return;
  // Else the next message might go to another model.
  if (wantedModel.value !== choice.id) chooseModel(choice.id);
  const controller = new AbortController();
  const startedAt = performance.now();
  const afterS = () => (performance.now() - startedAt) / 1000;
  let answer = emptyAnswer(nextId(messages.value), choice.id);
  const stop = () => controller.abort();
  const show = showing(() => {
    if (live.value?.stop === stop) live.value = { ...live.value, answer };
  });
  live.value = { answer, continues, startedAt, stop };
  /** @type {{finish?: string, error?: string}} */
  let end = {};
  const onEvent = (/** @type {unknown} */ event) => {
    answer = received(answer, event, afterS());
    show();
  };
  try {
    await receiveFirst(bodies, controller.signal, onEvent, () => answer.parts > 0);
  } catch (error) {
    end = controller.signal.aborted ? { finish: "interrupted" } : { finish: "failed", error: textOf(error) };
  }
  show.cancel();
  // Not after "New chat".
  if (live.value?.stop !== stop) return;
  const whole = ended(answer, afterS(), end);
  const kept = continues === null ? whole : joined(continues, whole);
  batch(() => {
    keep([...messages.value.filter(({ id }) => id !== kept.id), kept]);
    live.value = null;
  });
}

/**
 * @param {Record<string, any>[]} bodies @param {AbortSignal} signal @param {(event: unknown) => void} onEvent
 * @param {() => boolean} hasBegun Whether there is a part of an answer: then no other request is sent.
 */
async function receiveFirst([body, ...others], signal, onEvent, hasBegun) {
  try {
    let isComplete = false;
    for await (const { data } of streamEvents("/v1/chat/completions", { method: "POST", body, signal })) {
      if (data === "[DONE]") isComplete = true;
      else onEvent(eventOf(data));
    }
    if (!isComplete) throw new Error("The answer ended early: the connection to the model broke.");
  } catch (error) {
    if (!isRefusal(error) || hasBegun() || others.length === 0) throw error;
    await receiveFirst(others, signal, onEvent, hasBegun);
  }
}

/** @param {string} data @returns {unknown} Raises the error that a stream reports. */
function eventOf(data) {
  let event;
  try {
    event = JSON.parse(data);
  } catch {
    // Cut off by the end of the engine, which the next event or the end of the stream reports.
    return null;
  }
  if (!event?.error) return event;
  // The engine's log may follow.
  throw new Error(String(event.error.message ?? "The model failed during its answer.").split("\n")[0]);
}

/** @param {unknown} error Whether the server refused the request for what it contains. */
function isRefusal(error) {
  return error instanceof ApiError && error.status >= 400 && ![401, 403, 429, 503].includes(error.status);
}

/** @param {any} error */
function textOf(error) {
  return error instanceof TypeError ? "The connection to the server broke." : error.message;
}

/**
 * Runs an update at most once a frame, and less often if drawing takes long: it may use a quarter of the time.
 * @param {() => unknown} update
 */
function showing(update) {
  let isWaiting = false;
  let isOver = false;
  let notBefore = 0;
  const draw = () => {
    const at = performance.now();
    if (isOver) return;
    if (at < notBefore) {
      setTimeout(() => requestAnimationFrame(draw), notBefore - at);
      return;
    }
    isWaiting = false;
    update();
    // After the frame was painted.
    setTimeout(() => {
      const now = performance.now();
      notBefore = now + (now - at) * (RENDER_SHARE - 1);
    });
  };
  const show = () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(draw);
  };
  show.cancel = () => {
    isOver = true;
  };
  return show;
}

/** @param {Message[]} changed All messages from now on. */
function keep(changed) {
  messages.value = changed;
  save();
}

/** Write the chat to the storage of the tab: without its images if there is no room for them, which is said where they were. */
function save() {
  const chat = { model: wantedModel.value, settings: settings.value, messages: messages.value };
  const images = chat.messages.flatMap((message) => (message.role === "user" ? message.images : []));
  const size = images.reduce((sum, { url }) => sum + url.length, 0);
  if (size < MAX_IMAGE_CHARS && write(chat)) return;
  const withoutUrls = (/** @type {Message} */ message) => message.role === "user" ? { ...message, images: message.images.map(({ name }) => ({ name, url: "" })) } : message;
  write({ ...chat, messages: chat.messages.map(withoutUrls) });
}

/** @param {Stored} chat @returns {boolean} Whether there was room. */
function write(chat) {
  try {
    sessionStorage.setItem(STORED, JSON.stringify(chat));
    return true;
  } catch {
    return false;
  }
}

/** @returns {Stored | null} */
function readChat() {
  try {
    const chat = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
    return Array.isArray(chat?.messages) && typeof chat.settings === "object" && typeof chat.model === "string" ? chat : null;
  } catch {
    // Storage is disabled, or another version wrote it.
    return null;
  }
}

/** @param {readonly Resident[]} residents @param {string} model */
function reasonOf(residents, model) {
  const others = residents.filter((resident) => resident.model_name !== model);
  const inState = (/** @type {string} */ state) => others.find((resident) => resident.state === state);
  const stopping = inState("stopping");
  if (stopping) return `Unloading ${stopping.model_name} to load ${model}`;
  const busy = inState("draining") ?? others.find((resident) => resident.in_flight > 0);
  if (busy) return `Waiting for ${busy.model_name} to finish its requests`;
  const loading = inState("loading");
  return loading ? `Waiting for ${loading.model_name} to load` : `Queued for ${model}`;
}

/** @param {number} seconds At least one second, in whole seconds. */
function whole(seconds) {
  return duration(Math.max(1, Math.round(seconds))).replace(".0 ", " ");
}
