/** A conversation: its messages, the requests they become, and its form as a file. Pure. */

import { partsOf } from "./answer.js";

/**
 * @typedef {{name: string, url: string}} Picture `url`: a `data:` URL; empty if the tab could not keep it.
 * @typedef {{role: "user", id: number, text: string, images: Picture[]}} Prompt
 * @typedef {import("./answer.js").Answer} Answer
 * @typedef {Prompt | Answer} Message
 */

const CONTINUE_PROMPT = "Continue your last answer exactly where it ended. Do not repeat any of it.";

/** @param {readonly Message[]} messages @returns {number} An id that no message has. */
export function nextId(messages) {
  return messages.reduce((highest, message) => Math.max(highest, message.id), 0) + 1;
}

/** @param {readonly Message[]} messages @param {number} id @returns {Message[]} What precedes a message. */
export function before(messages, id) {
  const index = messages.findIndex((message) => message.id === id);
  return messages.slice(0, index < 0 ? messages.length : index);
}

/** @param {readonly Message[]} messages @param {number} id A prompt. @returns {Message[]} Without the prompt and its answer. */
export function withoutExchange(messages, id) {
  const index = messages.findIndex((message) => message.id === id);
  if (index < 0) return [...messages];
  const length = messages[index + 1]?.role === "assistant" ? 2 : 1;
  return messages.filter((_, at) => at < index || at >= index + length);
}

/**
 * @param {{model: string, system: string, messages: readonly Message[], fields: Record<string, unknown>}} chat
 * @returns {Record<string, any>} The body of a request for the next answer. Answers are sent without their thinking.
 */
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

/** @param {Message} message */
function asRequest(message) {
  if (message.role === "assistant") return { role: "assistant", content: partsOf(message).text };
  const images = message.images.filter((image) => image.url !== "");
  if (images.length === 0) return { role: "user", content: message.text };
  const parts = images.map((image) => ({ type: "image_url", image_url: { url: image.url } }));
  return { role: "user", content: [...parts, ...(message.text ? [{ type: "text", text: message.text }] : [])] };
}

/** @param {{model: string, system: string, messages: readonly Message[]}} chat @returns {string} */
export function asMarkdown({ system, messages }) {
  const parts = system.trim() === "" ? [] : [`## System prompt\n\n${system.trim()}`];
  for (const message of messages) {
    if (message.role === "user") {
      const images = message.images.map((image) => `(image: ${image.name})`);
      parts.push(["## You", ...images, message.text].filter(Boolean).join("\n\n"));
    } else {
      parts.push(`## ${message.model}\n\n${partsOf(message).text.trim()}`);
    }
  }
  return `${parts.join("\n\n")}\n`;
}

/** @param {{model: string, system: string, messages: readonly Message[], fields: Record<string, unknown>}} chat @returns {string} The body of the request, and the figures of each answer. */
export function asJson(chat) {
  const { stream: _stream, stream_options: _options, ...body } = requestBody(chat);
  const answers = chat.messages.flatMap((message) => {
    if (message.role === "user") return [];
    const { model, reasoning, finish, error, usage, firstAfter, durationS, speed } = message;
    return [{ model, reasoning, finish, error, usage, first_token_s: firstAfter, took_s: durationS, tokens_per_second: speed }];
  });
  return `${JSON.stringify({ ...body, answers }, null, 2)}\n`;
}
