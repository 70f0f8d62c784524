/** The chat of this tab. It outlives the page's view: an answer continues while another page is open. */

import { batch, computed, signal } from "../../lib/html.js";
import { before, nextId, withoutExchange } from "./conversation.js";
import { NO_SETTINGS } from "./settings.js";
import { readChat, writeChat } from "./storage.js";

/**
 * @typedef {import("./conversation.js").Message} Message
 * @typedef {import("./conversation.js").Picture} Picture
 * @typedef {import("./answer.js").Answer} Answer
 * @typedef {import("./models.js").Choice} Choice
 */

const stored = readChat();

/** @type {import("../../vendor/signals.js").Signal<Message[]>} */
export const messages = signal(stored?.messages ?? []);

/** @type {import("../../vendor/signals.js").Signal<import("./settings.js").Settings>} */
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

/** Write the chat to the storage of the tab. */
export function save() {
  writeChat({ model: wantedModel.value, settings: settings.value, messages: messages.value });
}

/** @param {string} model */
export function chooseModel(model) {
  wantedModel.value = model;
  save();
}

/** @param {string} name @param {string} text */
export function changeSetting(name, text) {
  settings.value = { ...settings.value, [name]: text };
  save();
}

export function resetSettings() {
  settings.value = NO_SETTINGS;
  save();
}

/** @param {string} text @param {Picture[]} images @param {number} [replacedId] A prompt that it replaces, with what follows it. */
export function addPrompt(text, images, replacedId) {
  const kept = replacedId === undefined ? messages.value : before(messages.value, replacedId);
  messages.value = [...kept, { role: "user", id: nextId(messages.value), text, images }];
  save();
}

/** @param {Answer} answer Appended, or in the place of the answer with its id. */
export function keepAnswer(answer) {
  const others = messages.value.filter((message) => message.id !== answer.id);
  batch(() => {
    messages.value = [...others, answer];
    live.value = null;
  });
  save();
}

/** Remove an answer and what follows it. @param {number} id */
export function cutFrom(id) {
  messages.value = before(messages.value, id);
  save();
}

/** @param {number} id A prompt. */
export function removeExchange(id) {
  messages.value = withoutExchange(messages.value, id);
  save();
}

/** Remove all messages; the model and the settings stay. */
export function startNew() {
  const stop = live.value?.stop;
  batch(() => {
    live.value = null;
    messages.value = [];
  });
  stop?.();
  save();
}
