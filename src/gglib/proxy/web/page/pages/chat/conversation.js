/** A conversation: its messages and settings, what the events of a stream make of an answer, requests, and files. Pure; times in seconds. */

/**
 * @typedef {{name: string, url: string}} Picture `url`: a `data:` URL; empty if the tab could not keep it.
 * @typedef {{role: "user", id: number, text: string, images: Picture[]}} Prompt
 * @typedef {{prompt: number | null, cached: number | null, written: number | null}} Usage In tokens.
 * @typedef {{
 *   role: "assistant", id: number, model: string, content: string, reasoning: string,
 *   parts: number, firstAfter: number | null, textAfter: number | null, durationS: number | null,
 *   finish: string | null, error: string | null, usage: Usage | null, speed: number | null,
 * }} Answer `content`: also with the tags of thinking that the engine left in it. `firstAfter`, `textAfter`: from the
 *   request to the first part, and to the first part that is no thinking. `finish`: `stop`, `length` at a limit,
 *   `interrupted` by the user, `failed`; null while it is received.
 * @typedef {Prompt | Answer} Message
 * @typedef {{[name: string]: string}} Settings Texts by name; empty: the default.
 * @typedef {{model: string, system: string, messages: readonly Message[], fields: Record<string, unknown>}} Chat
 */

const OPENING = "<think>";
const CLOSING = /<\/think>/;
const CLOSING_ALONE = /^[ \t]*<\/think>[ \t]*$/m;
const CONTINUE_PROMPT = "Continue your last answer exactly where it ended. Do not repeat any of it.";
const IMAGE_TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const MAX_IMAGE_BYTES = 20_000_000;
const MAX_IMAGES_BYTES = 40_000_000;

export const DEFAULT_MAX_TOKENS = 2048;

/** Those without a step are integers. @type {{name: string, label: string, low: number, high: number, step?: string, hint?: string}[]} */
export const NUMBERS = [
  { name: "temperature", label: "Temperature", low: 0, high: 5, step: "0.1" },
  { name: "top_p", label: "Top p", low: 0, high: 1, step: "0.05" },
  { name: "top_k", label: "Top k", low: 0, high: 2 ** 31 - 1, hint: "0: no limit" },
  { name: "min_p", label: "Min p", low: 0, high: 1, step: "0.01" },
  { name: "max_tokens", label: "Max tokens", low: 0, high: 2 ** 31 - 1, hint: "0: no limit" },
  { name: "seed", label: "Seed", low: -1, high: 2 ** 32 - 1, hint: "-1: random" },
];

export const THINKING = [
  { value: "", label: "The model's default" },
  { value: "on", label: "On" },
  { value: "off", label: "Off" },
  { value: "low", label: "Low effort" },
  { value: "medium", label: "Medium effort" },
  { value: "high", label: "High effort" },
];

/** @type {Settings} */
export const NO_SETTINGS = { system: "", stop: "", thinking: "" };

/** @param {number} id @param {string} model @returns {Answer} */
export function emptyAnswer(id, model) {
  return {
    ...{ role: "assistant", id, model, content: "", reasoning: "", parts: 0, firstAfter: null, textAfter: null },
    ...{ durationS: null, finish: null, error: null, usage: null, speed: null },
  };
}

/**
 * @param {Answer} answer @param {any} event The JSON of one event. @param {number} afterS Since the request.
 * @returns {Answer}
 */
export function received(answer, event, afterS) {
  const next = { ...answer };
  for (const choice of Array.isArray(event?.choices) ? event.choices : []) {
    if (typeof choice?.finish_reason === "string") next.finish = choice.finish_reason;
    const text = textOf(choice?.delta?.content);
    const reasoning = textOf(choice?.delta?.reasoning_content);
    if (text + reasoning === "") continue;
    next.content += text;
    next.reasoning += reasoning;
    next.parts += 1;
    next.firstAfter ??= afterS;
    if (text !== "" && partsOf(next).text !== "") next.textAfter ??= afterS;
  }
  const { usage, timings } = event ?? {};
  if (usage instanceof Object) {
    next.usage = {
      prompt: numberOf(usage.prompt_tokens),
      cached: numberOf(usage.prompt_tokens_details?.cached_tokens) ?? numberOf(timings?.cache_n),
      written: numberOf(usage.completion_tokens),
    };
  }
  next.speed = numberOf(timings?.predicted_per_second) ?? next.speed;
  return next;
}

/**
 * The end of an answer.
 * @param {Answer} answer @param {number} afterS @param {{finish?: string, error?: string}} [end] Unless the model ended it.
 * @returns {Answer}
 */
export function ended(answer, afterS, { finish, error } = {}) {
  // A part is a token, as a rule.
  const written = answer.usage?.written ?? answer.parts;
  const writingS = afterS - (answer.firstAfter ?? afterS);
  const measured = written > 1 && writingS > 0 ? written / writingS : null;
  return { ...answer, durationS: afterS, finish: finish ?? answer.finish ?? "stop", error: error ?? null, speed: answer.speed ?? measured };
}

/** @param {Answer} before @param {Answer} added @returns {Answer} An answer and its continuation. */
export function joined(before, added) {
  return { ...added, id: before.id, content: before.content + added.content, reasoning: before.reasoning + added.reasoning };
}

/**
 * @param {{content: string, reasoning: string}} answer
 * @returns {{thinking: string, text: string, isThinking: boolean}} `isThinking`: the text has not begun.
 */
export function partsOf({ content, reasoning }) {
  const start = content.trimStart();
  const isOpened = start !== "" && (start.startsWith(OPENING) || OPENING.startsWith(start));
  const body = isOpened ? start.slice(OPENING.length) : content;
  // Alone in its line, it closes what the chat template has opened.
  const closing = (isOpened ? CLOSING : CLOSING_ALONE).exec(body);
  const end = closing?.index ?? (isOpened ? body.length : 0);
  const thinking = [reasoning.trim(), body.slice(0, end).trim()].filter(Boolean).join("\n\n");
  const rest = body.slice(end + (closing?.[0].length ?? 0));
  const text = closing === null ? rest : rest.trimStart();
  return { thinking, text, isThinking: text === "" && (thinking !== "" || (isOpened && closing === null)) };
}

/**
 * @param {{finish: string | null} | null} answer
 * @returns {string} What screen readers are to say at its end; "" after a failure, whose error is an alert.
 */
export function endText(answer) {
  if (answer === null || answer.finish === "failed") return "";
  if (answer.finish === "interrupted") return "The answer was stopped.";
  return answer.finish === "length" ? "The answer stopped at a limit." : "The answer is complete.";
}

/** @param {{finish: string | null, content: string, reasoning: string}} answer Whether the model had more to say. */
export function canContinue(answer) {
  return ["length", "interrupted", "failed"].includes(answer.finish ?? "") && partsOf(answer).text !== "";
}

/** @param {readonly Message[]} messages @returns {number} An id that no message has. */
export function nextId(messages) {
  return Math.max(0, ...messages.map(({ id }) => id)) + 1;
}

/** @param {readonly Message[]} messages @param {number} id @returns {Message[]} What precedes a message. */
export function before(messages, id) {
  const index = messages.findIndex((message) => message.id === id);
  return index < 0 ? [...messages] : messages.slice(0, index);
}

/** @param {readonly Message[]} messages @param {number} id A prompt. @returns {Message[]} Without the prompt and its answer. */
export function withoutExchange(messages, id) {
  const index = messages.findIndex((message) => message.id === id);
  return index < 0 ? [...messages] : messages.toSpliced(index, messages[index + 1]?.role === "assistant" ? 2 : 1);
}

/** @param {Chat} chat @returns {Record<string, any>} The body of a request for the next answer. Answers are sent without their thinking. */
export function requestBody({ model, system, messages, fields }) {
  const opening = system.trim() === "" ? [] : [{ role: "system", content: system }];
  const said = messages.filter((message) => message.role === "user" || partsOf(message).text !== "");
  return { model, messages: [...opening, ...said.map(asRequest)], stream: true, stream_options: { include_usage: true }, ...fields };
}

/** @param {Record<string, any>} body @returns {Record<string, any>} For engines that continue the last answer; they do so without thinking only. */
export function continuationBody(body) {
  return { ...body, chat_template_kwargs: { ...body.chat_template_kwargs, enable_thinking: false } };
}

/** @param {Record<string, any>} body @returns {Record<string, any>} For engines that refuse that: the model is asked to continue. */
export function askedContinuationBody(body) {
  return { ...body, messages: [...body.messages, { role: "user", content: CONTINUE_PROMPT }] };
}

/** @param {Pick<Chat, "system" | "messages">} chat @returns {string} */
export function asMarkdown({ system, messages }) {
  const parts = messages.map((message) => message.role === "user"
    ? ["## You", ...message.images.map((image) => `(image: ${image.name})`), message.text].filter(Boolean).join("\n\n")
    : `## ${message.model}\n\n${partsOf(message).text.trim()}`);
  if (system.trim() !== "") parts.unshift(`## System prompt\n\n${system.trim()}`);
  return `${parts.join("\n\n")}\n`;
}

/** @param {Chat} chat @returns {string} The body of the request, and the figures of each answer. */
export function asJson(chat) {
  const { stream: _stream, stream_options: _options, ...body } = requestBody(chat);
  const answers = chat.messages.filter((message) => message.role === "assistant")
    .map(({ model, reasoning, finish, error, usage, firstAfter, durationS, speed }) => (
      { model, reasoning, finish, error, usage, first_token_s: firstAfter, took_s: durationS, tokens_per_second: speed }));
  return `${JSON.stringify({ ...body, answers }, null, 2)}\n`;
}

/** @param {Settings} settings @param {string} name @returns {string | null} What is wrong with a number; null: nothing. */
export function problemOf(settings, name) {
  const rule = NUMBERS.find((number) => number.name === name);
  const text = settings[name]?.trim() ?? "";
  if (rule === undefined || text === "") return null;
  const { low, high, step } = rule;
  const value = Number(text);
  if (value >= low && value <= high && (step || Number.isInteger(value))) return null;
  return `Enter ${step ? "a number" : "an integer"} ${high > 1e6 ? `of at least ${low}` : `from ${low} to ${high}`}.`;
}

/** @param {Settings} settings @returns {boolean} Whether a request can be sent with them. */
export function areValid(settings) {
  return NUMBERS.every(({ name }) => problemOf(settings, name) === null);
}

/**
 * @param {Settings} settings @param {{isProfile: boolean}} choice A profile may limit answers itself: it gets no default.
 * @returns {Record<string, unknown>} Invalid values are left out.
 */
export function requestFields(settings, { isProfile }) {
  /** @type {Record<string, unknown>} */
  const fields = isProfile ? {} : { max_tokens: DEFAULT_MAX_TOKENS };
  for (const { name } of NUMBERS) {
    if (settings[name]?.trim() && problemOf(settings, name) === null) fields[name] = Number(settings[name]);
  }
  if (fields.max_tokens === 0) delete fields.max_tokens;
  const { stop = "", thinking } = settings;
  const stops = stop.split("\n").filter(Boolean);
  if (stops.length > 0) fields.stop = stops;
  if (thinking) {
    const effort = ["on", "off"].includes(thinking) ? {} : { reasoning_effort: thinking };
    fields.chat_template_kwargs = { enable_thinking: thinking !== "off", ...effort };
  }
  return fields;
}

/** @param {Settings} settings @returns {number} How many differ from their default. */
export function changedCount(settings) {
  return Object.values(settings).filter((text) => text.trim() !== "").length;
}

/**
 * @param {readonly {type: string, size: number, name: string}[]} files @param {number} presentBytes Of the images that the prompt has.
 * @returns {string | null} Why they cannot be added; null: they can.
 */
export function imageProblem(files, presentBytes) {
  let total = presentBytes;
  for (const { type, size, name } of files) {
    total += size;
    if (!IMAGE_TYPES.includes(type)) return `${name || "The file"} is not a PNG, JPEG, WebP or GIF image.`;
    if (size > MAX_IMAGE_BYTES) return `${name} is larger than 20 MB: make it smaller first.`;
  }
  return total > MAX_IMAGES_BYTES ? "The images of one message can have 40 MB together: send fewer." : null;
}

/** @param {string} url A `data:` URL. @returns {number} The size of its content in bytes, about. */
export function imageBytes(url) {
  return Math.floor(((url.length - url.indexOf(",") - 1) * 3) / 4);
}

/** @param {Message} message */
function asRequest(message) {
  if (message.role === "assistant") return { role: "assistant", content: partsOf(message).text };
  const images = message.images.filter((image) => image.url !== "");
  if (images.length === 0) return { role: "user", content: message.text };
  const parts = images.map((image) => ({ type: "image_url", image_url: { url: image.url } }));
  return { role: "user", content: [...parts, ...(message.text ? [{ type: "text", text: message.text }] : [])] };
}

/** @param {unknown} value */
function textOf(value) {
  return typeof value === "string" ? value : "";
}

/** @param {any} value @returns {number | null} */
function numberOf(value) {
  return Number.isFinite(value) ? value : null;
}
