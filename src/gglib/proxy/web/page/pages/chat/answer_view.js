/** An answer: its thinking, its text, how it ended and how fast it was. */

import { Button, confirmDialog, Copy, count, duration, ErrorNote, html, IconButton, now, rate, status, statusAt, useRef } from "../../ui/kit.js";
import { Markdown } from "../../ui/markdown.js";
import { canContinue, partsOf } from "./answer.js";
import { focusComposer } from "./composer.js";
import { ask, continueAnswer } from "./exchange.js";
import { choices, cutFrom, isAnswering } from "./state.js";
import { waitText } from "./waiting.js";

/**
 * @typedef {import("./answer.js").Answer} Answer
 * @typedef {import("./models.js").Choice} Choice
 * @typedef {{answer: Answer, startedAt: number}} Live What is received now: of a continued answer, only the new part.
 */

/** @param {{answer: Answer, choice: Choice, isLast: boolean, live?: Live}} props */
export function AnswerView({ answer, choice, isLast, live }) {
  const { thinking, text, isThinking } = partsOf(answer);
  const isNew = useRef(false);
  isNew.current ||= live !== undefined;
  return html`<article class="chat-answer" aria-busy=${live ? "true" : undefined}>
    <h2 class="chat-who">${answer.model}</h2>
    ${thinking || (isThinking && live) ? html`<${Thinking} answer=${answer} text=${thinking} isThinking=${isThinking} live=${live} />` : null}
    ${text ? html`<${Markdown} text=${text} />` : null}
    ${live ? html`<${Progress} live=${live} />` : html`<${End} answer=${answer} choice=${choice} isLast=${isLast} isNew=${isNew.current} />`}
  </article>`;
}

/** @param {{answer: Answer, text: string, isThinking: boolean, live?: Live}} props */
function Thinking({ answer, text, isThinking, live }) {
  const from = answer.firstAfter ?? 0;
  const until = isThinking && live ? secondsSince(live.startedAt) : answer.textAfter ?? answer.durationS;
  const time = until === null ? "" : duration(Math.max(0, until - from));
  return html`<details class="chat-thinking">
    <summary>${isThinking && live ? `Thinking, ${time}` : `Thought for ${time}`}</summary>
    <p class="chat-text">${text}</p>
  </details>`;
}

/** What the server does, until the answer is complete. @param {{live: Live}} props */
function Progress({ live: { answer, startedAt } }) {
  const elapsedS = secondsSince(startedAt);
  if (answer.parts > 0) {
    const writingS = elapsedS - (answer.firstAfter ?? 0);
    return html`<p class="chat-progress"><span class="chat-dots" aria-hidden="true"></span>${writingS > 1 ? `about ${rate(answer.parts / writingS)}`.replace("/s", "tokens/s") : "answering"}</p>`;
  }
  const base = choices.value?.find((entry) => entry.id === answer.model)?.base ?? answer.model;
  const ageS = (now.value - statusAt.value) / 1000;
  return html`<p class="chat-progress"><span class="chat-dots" aria-hidden="true"></span>${waitText(status.value, base, elapsedS, Math.max(0, ageS))}</p>`;
}

/** @param {number} startedAt */
function secondsSince(startedAt) {
  return Math.max(0, Math.max(now.value, performance.now()) - startedAt) / 1000;
}

/** @param {{answer: Answer, choice: Choice, isLast: boolean, isNew: boolean}} props `isNew`: it was received in this view. */
function End({ answer, choice, isLast, isNew }) {
  const again = async () => {
    const text = "The answer and what follows it are removed.";
    if (!isLast && !(await confirmDialog({ title: "Answer again?", text, action: "Answer again", danger: true }))) return;
    cutFrom(answer.id);
    focusComposer();
    void ask(choice);
  };
  const goOn = () => {
    focusComposer();
    void continueAnswer(choice, answer);
  };
  const text = partsOf(answer).text;
  return html`
    ${answer.error ? html`<${ErrorNote} error=${{ message: answer.error }} isAlert=${isLast && isNew} onRetry=${isLast && !isAnswering.value ? () => void again() : undefined} />` : null}
    ${isLast && !answer.error ? html`<${Reason} answer=${answer} hasText=${text !== ""} />` : null}
    <div class="chat-actions">
      ${text ? html`<${Copy} iconOnly text=${text} label="Copy the answer" />` : null}
      <${IconButton} icon="retry" label="Answer again" disabled=${isAnswering.value} onClick=${() => void again()} />
      ${isLast && canContinue(answer) ? html`<${Button} small icon="play" disabled=${isAnswering.value} onClick=${goOn}>Continue<//>` : null}
      <${Figures} answer=${answer} />
    </div>`;
}

/** @param {{answer: Answer, hasText: boolean}} props */
function Reason({ answer, hasText }) {
  const reason = answer.finish === "length"
    ? `Stopped at a limit: max tokens, or the context is full.${hasText ? "" : " All of it was thinking: allow more tokens, or turn thinking off."}`
    : answer.finish === "interrupted" ? (hasText ? "Stopped." : "Stopped before the answer began.")
    : hasText ? null : "The model answered with nothing.";
  return reason === null ? null : html`<p class="hint">${reason}</p>`;
}

/** @param {{answer: Answer}} props */
function Figures({ answer }) {
  const { usage, speed, firstAfter, durationS, parts } = answer;
  const written = usage?.written ?? null;
  const prompt = usage?.prompt === null || usage?.prompt === undefined ? null
    : `${count(usage.prompt)} prompt tokens${usage.cached === null ? "" : `, ${count(usage.cached)} cached`}`;
  const figures = [
    speed === null ? null : `${rate(speed).replace(" /s", "")} tokens/s`,
    written !== null ? `${count(written)} tokens` : parts > 0 ? `about ${count(parts)} tokens` : null,
    firstAfter === null ? null : `first after ${duration(firstAfter)}`,
    prompt,
    durationS === null ? null : `${duration(durationS)} in all`,
  ].filter((text) => text !== null);
  return html`<ul class="chat-figures" aria-label="Figures">${figures.map((text) => html`<li>${text}</li>`)}</ul>`;
}
