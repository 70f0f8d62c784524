/** An answer that is being received: what the events of a stream make of it. Pure; times in seconds. */

/**
 * @typedef {{prompt: number | null, cached: number | null, written: number | null}} Usage In tokens.
 * @typedef {{
 *   role: "assistant", id: number, model: string, content: string, reasoning: string,
 *   parts: number, firstAfter: number | null, textAfter: number | null, durationS: number | null,
 *   finish: string | null, error: string | null, usage: Usage | null, speed: number | null,
 * }} Answer `content`: also with the tags of thinking that the engine left in it. `firstAfter`, `textAfter`: from the
 *   request to the first part, and to the first part that is no thinking. `finish`: `stop`, `length` at a limit,
 *   `interrupted` by the user, `failed`; null while it is received.
 */

const OPENING = "<think>";
const CLOSING = "</think>";

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
  for (const choice of listOf(event?.choices)) {
    if (typeof choice?.finish_reason === "string") next.finish = choice.finish_reason;
    const text = textOf(choice?.delta?.content);
    const reasoning = textOf(choice?.delta?.reasoning_content);
    if (text === "" && reasoning === "") continue;
    next.content += text;
    next.reasoning += reasoning;
    next.parts += 1;
    next.firstAfter ??= afterS;
    if (next.textAfter === null && text !== "" && partsOf(next).text !== "") next.textAfter = afterS;
  }
  if (isObject(event?.usage)) next.usage = usageOf(event.usage, event.timings);
  const speed = event?.timings?.predicted_per_second;
  if (typeof speed === "number" && Number.isFinite(speed)) next.speed = speed;
  return next;
}

/**
 * The end of an answer.
 * @param {Answer} answer @param {number} afterS @param {{finish?: string, error?: string}} [end] Unless the model ended it.
 * @returns {Answer}
 */
export function ended(answer, afterS, { finish, error } = {}) {
  const written = answer.usage?.written ?? answer.parts; // a part is a token, as a rule
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
  const { thinking, text, isThinking } = withoutTags(content);
  const whole = [reasoning.trim(), thinking].filter(Boolean).join("\n\n");
  return { thinking: whole, text, isThinking: isThinking || (text === "" && whole !== "") };
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

/** @param {string} content @returns {{thinking: string, text: string, isThinking: boolean}} */
function withoutTags(content) {
  const start = content.trimStart();
  if (start !== "" && start.length < OPENING.length && OPENING.startsWith(start)) return { thinking: "", text: "", isThinking: true };
  if (start.startsWith(OPENING)) {
    const end = start.indexOf(CLOSING);
    if (end < 0) return { thinking: start.slice(OPENING.length).trim(), text: "", isThinking: true };
    return { thinking: start.slice(OPENING.length, end).trim(), text: start.slice(end + CLOSING.length).trimStart(), isThinking: false };
  }
  const alone = /^[ \t]*<\/think>[ \t]*$/m.exec(content); // the chat template has opened it
  if (alone === null) return { thinking: "", text: content, isThinking: false };
  return { thinking: content.slice(0, alone.index).trim(), text: content.slice(alone.index + alone[0].length).trimStart(), isThinking: false };
}

/** @param {any} usage @param {any} timings @returns {Usage} */
function usageOf(usage, timings) {
  return {
    prompt: numberOf(usage.prompt_tokens),
    cached: numberOf(usage.prompt_tokens_details?.cached_tokens) ?? numberOf(timings?.cache_n),
    written: numberOf(usage.completion_tokens),
  };
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null;
}

/** @param {unknown} value @returns {any[]} */
function listOf(value) {
  return Array.isArray(value) ? value : [];
}

/** @param {unknown} value */
function textOf(value) {
  return typeof value === "string" ? value : "";
}

/** @param {unknown} value */
function numberOf(value) {
  return typeof value === "number" ? value : null;
}
