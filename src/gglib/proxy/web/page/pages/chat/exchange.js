/** Sends the requests of the chat, and feeds the page with the answer as it comes. */

import { ApiError, streamEvents } from "../../lib/api.js";
import { emptyAnswer, ended, joined, received } from "./answer.js";
import { askedContinuationBody, continuationBody, nextId, requestBody } from "./conversation.js";
import { requestFields } from "./settings.js";
import { chooseModel, keepAnswer, live, messages, settings, wantedModel } from "./state.js";

/** @typedef {import("./models.js").Choice} Choice */

const RENDER_SHARE = 4;

/** Ask for the answer to the last prompt. @param {Choice} choice @returns {Promise<void>} Never rejects: errors belong to the answer. */
export function ask(choice) {
  return exchange(choice, null, [body(choice)]);
}

/**
 * Continue the last answer: by the engine, or, if it refuses, by asking the model.
 * @param {Choice} choice @param {import("./answer.js").Answer} answer
 */
export function continueAnswer(choice, answer) {
  const whole = body(choice);
  return exchange(choice, answer, [continuationBody(whole), askedContinuationBody(whole)]);
}

/** @param {Choice} choice */
export function body(choice) {
  const fields = requestFields(settings.value, { isProfile: choice.isProfile });
  return requestBody({ model: choice.id, system: settings.value.system ?? "", messages: messages.value, fields });
}

/**
 * @param {Choice} choice @param {import("./answer.js").Answer | null} continues
 * @param {Record<string, any>[]} bodies The next one is sent if the server refuses one before an answer.
 */
async function exchange(choice, continues, bodies) {
  if (live.value !== null) return;
  if (wantedModel.value !== choice.id) chooseModel(choice.id); // else the next message might go to another model
  const controller = new AbortController();
  const startedAt = performance.now();
  const afterS = () => (performance.now() - startedAt) / 1000;
  let answer = emptyAnswer(nextId(messages.value), choice.id);
  const stop = () => controller.abort();
  const isCurrent = () => live.value?.stop === stop; // not after "New chat"
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
    for (const [index, next] of bodies.entries()) {
      try {
        await receive(next, controller.signal, onEvent);
        break;
      } catch (error) {
        if (!isRefusal(error) || answer.parts > 0 || index === bodies.length - 1) throw error;
      }
    }
  } catch (error) {
    end = controller.signal.aborted ? { finish: "interrupted" } : { finish: "failed", error: textOf(error) };
  }
  show.cancel();
  if (!isCurrent()) return;
  const whole = ended(answer, afterS(), end);
  keepAnswer(continues === null ? whole : joined(continues, whole));
}

/** @param {unknown} body @param {AbortSignal} signal @param {(event: unknown) => void} onEvent */
async function receive(body, signal, onEvent) {
  let isComplete = false;
  for await (const { data } of streamEvents("/v1/chat/completions", { method: "POST", body, signal })) {
    if (data === "[DONE]") isComplete = true;
    else onEvent(eventOf(data));
  }
  if (!isComplete) throw new Error("The answer ended early: the connection to the model broke.");
}

/** @param {string} data @returns {unknown} Raises the error that a stream reports. */
function eventOf(data) {
  let event;
  try {
    event = JSON.parse(data);
  } catch {
    return null; // cut off by the end of the engine, which the next event or the end of the stream reports
  }
  if (!event?.error) return event;
  const [sentence = ""] = String(event.error.message ?? "The model failed during its answer.").split("\n"); // the engine's log may follow
  throw new Error(sentence);
}

/** @param {unknown} error Whether the server refused the request for what it contains. */
function isRefusal(error) {
  return error instanceof ApiError && error.status >= 400 && ![401, 403, 429, 503].includes(error.status);
}

/** @param {unknown} error */
function textOf(error) {
  if (error instanceof TypeError) return "The connection to the server broke.";
  return error instanceof Error ? error.message : String(error);
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
    setTimeout(() => { // after the frame was painted
      const took = performance.now() - at;
      notBefore = performance.now() + took * (RENDER_SHARE - 1);
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
