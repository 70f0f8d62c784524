/** The messages, and the answer that is coming. */

import { Button, computed, html, useEffect, useRef, useState } from "../../ui/kit.js";
import { AnswerView } from "./answer_view.js";
import { endText, joined } from "./answer.js";
import { setDraft } from "./composer.js";
import { PromptView } from "./prompt_view.js";
import { live, messages } from "./state.js";

const NEAR_END_PX = 48;
const SUGGESTIONS = [
  "Explain what a context window is, in three sentences.",
  "Write a Python function that removes duplicates from a list and keeps the order.",
  "Compare HTTP/1.1 and HTTP/2 in a table.",
];

/** @typedef {import("./models.js").Choice} Choice */

/** @param {{choice: Choice}} props */
export function Thread({ choice }) {
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const thread = useRef(/** @type {HTMLDivElement | null} */ (null));
  const isFollowing = useRef(true);
  const lastTop = useRef(0);
  const [isAway, setAway] = useState(false);
  const toEnd = () => {
    const element = scroller.current;
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
    if (last?.role === "user") {
      isFollowing.current = true; // it was just sent
      toEnd();
    }
  }, [last?.id]);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = /** @type {HTMLDivElement} */ (scroller.current);
    const isNearEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    if (isNearEnd) isFollowing.current = true;
    else if (scrollTop < lastTop.current) isFollowing.current = false; // up, by the user: the text itself only grows
    lastTop.current = scrollTop;
    setAway(!isFollowing.current);
  };
  const jump = () => {
    isFollowing.current = true;
    toEnd();
  };
  return html`<div class="chat-view">
    <div class="chat-scroll" ref=${scroller} onScroll=${onScroll} tabindex="0" role="region" aria-label="Messages">
      <div class="chat-thread" ref=${thread}>
        <${Messages} choice=${choice} />
      </div>
    </div>
    ${isAway ? html`<div class="chat-jump"><${Button} small icon="down" onClick=${jump}>Newest<//></div>` : null}
    <${Announcement} />
  </div>`;
}

/** The place of the answer that is being received; it changes at the start and the end of an answer only. */
const liveId = computed(() => live.value?.continues?.id ?? live.value?.answer.id ?? null);

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
 * @param {{message: import("./answer.js").Answer, choice: Choice, isLast: boolean, isLive: boolean}} props
 */
function AnswerSlot({ message, choice, isLast, isLive }) {
  const current = isLive ? live.value : null;
  if (current === null) return html`<${AnswerView} answer=${message} choice=${choice} isLast=${isLast} />`;
  const { answer, continues, startedAt } = current;
  const shown = continues === null ? answer : joined(continues, answer);
  return html`<${AnswerView} answer=${shown} choice=${choice} isLast=${isLast} live=${{ answer, startedAt }} />`;
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
