/** Watches for the next request of a client, to see that it is connected. */

import { Badge, Button, connection, counted, duration, finished, html, Icon, link, now, rate, running, useEffect, useRef, useState } from "../../ui/kit.js";
import { knownRequests, nextRequest, observeOn } from "./first_request.js";

const LIMIT_S = 120;

/**
 * @typedef {{known: ReadonlySet<string>, endsAt: number, id: string | null}} Test Times are those of `performance.now()`.
 * @typedef {import("./first_request.js").Observed} Observed
 */

/** @param {{title: string}} props `title`: the client that is expected. */
export function TestRequest({ title }) {
  const [test, setTest] = useState(/** @type {Test | null} */ (null));
  const seen = { running: running.value, finished: finished.value };
  const id = test === null ? null : test.id ?? nextRequest(test.known, seen);
  useEffect(() => {
    if (test !== null && test.id !== id) setTest({ ...test, id });
  }, [id]);
  const observed = useRef(/** @type {Observed | null} */ (null));
  observed.current = id === null ? null : observeOn(observed.current, id, seen);
  const leftS = test === null ? 0 : (test.endsAt - now.value) / 1000;
  const start = () => setTest({ known: knownRequests(seen), endsAt: performance.now() + LIMIT_S * 1000, id: null });
  const isOpen = test !== null && id === null && leftS > 0;
  return html`<section class="card">
    <header><h2>Test the connection</h2>
      ${isOpen
        ? html`<${Button} small onClick=${() => setTest(null)}>Stop<//>`
        : html`<${Button} small kind=${test === null ? "primary" : "plain"} disabled=${connection.value !== "live"} onClick=${start}>${test === null ? "Start the test" : "Test again"}<//>`}
    </header>
    <div class="card-body" aria-live="polite">
      ${test === null ? html`<p class="quiet">Start the test, then send a request with ${title}. The next request that reaches the server is shown here.</p>` : null}
      ${isOpen ? html`<div class="row"><progress class="connect-wait" aria-label="Waiting for a request"></progress>
        <span>Send a request with ${title} now. Waiting for it<span aria-hidden="true">, ${duration(Math.ceil(Math.min(LIMIT_S, leftS)))} left</span>.</span></div>` : null}
      ${test !== null && id === null && leftS <= 0 ? html`<${Missed} />` : null}
      ${id !== null ? html`<${Result} observed=${observed.current} />` : null}
    </div>
  </section>`;
}

function Missed() {
  return html`<div class="stack small-gap"><p><${Badge} tone="warn">No request came<//></p>
    <p class="quiet">Check the address and the port in the program, and that it runs where this address is reachable. A request with a wrong key or host is refused: <a href="#/logs">the log</a> shows it.</p></div>`;
}

/** @param {{observed: Observed | null}} props */
function Result({ observed }) {
  if (observed === null) return html`<p class="quiet">The request arrived, but the server no longer has it: it may have been restarted.</p>`;
  const { stage, stored, client, model, id } = observed;
  const isOver = stage === "answered" || stage === "failed";
  return html`<ol class="connect-steps">
      <${Step} state="done">Arrived${client ? html` from <b>${client}</b>` : ""}<//>
      <${Step} state=${loadState(observed)}>${stage === "waiting" ? "Waiting for " : ""}${model ?? requestedModel(observed) ?? "the model"}${readyText(observed)}<//>
      <${Step} state=${stage === "answered" ? "done" : stage === "failed" ? "failed" : stage === "answering" ? "current" : "next"}>
        ${isOver ? html`<${Outcome} stored=${stored} />` : stage === "answering" ? "Answering" : "Answer"}<//>
    </ol>
    ${isOver ? html`<p><a href=${link("requests", id)}>Show this request</a></p>` : null}`;
}

/** @param {Observed} observed @returns {string | null} The name that the client sent, if it is another one. */
function requestedModel({ running: current, stored }) {
  return (stored ?? current)?.requested_model ?? null;
}

/** @param {Observed} observed @returns {keyof typeof STEPS} */
function loadState({ stage, stored }) {
  if (stage === "waiting") return "current";
  return stage === "failed" && (stored?.waited_s ?? null) === null ? "failed" : "done";
}

/** @param {Observed} observed */
function readyText({ stage, running: current, stored }) {
  const waitedS = (stored ?? current)?.waited_s ?? null;
  if (stage === "waiting" || waitedS === null) return "";
  return waitedS < 0.1 ? " was ready" : `, ready after ${duration(waitedS)}`;
}

/** @param {{stored: import("../../lib/api_types.js").StoredRequest | null}} props */
function Outcome({ stored }) {
  if (stored === null) return null;
  const isFailed = stored.error !== null || (stored.status ?? 500) >= 400;
  if (isFailed) return html`Failed${stored.status ? ` with status ${stored.status}` : ""}: ${stored.error_message ?? stored.error ?? "no response"}`;
  const tokens = stored.completion_tokens === null ? "" : `, ${counted(stored.completion_tokens, "token")}`;
  const speed = stored.tokens_per_s === null ? "" : ` at ${rate(stored.tokens_per_s)}`;
  return html`Answered with status ${stored.status} in ${duration(stored.duration_s)}${tokens}${speed}`;
}

const STEPS = /** @type {const} */ ({
  done: ["check", "done"],
  current: ["now", "now"],
  failed: ["close", "failed"],
  next: ["more", "not yet"],
});

/** @param {{state: keyof typeof STEPS, children?: unknown}} props */
function Step({ state, children }) {
  const [icon, word] = STEPS[state];
  return html`<li class=${state}><${Icon} name=${icon} label=${word} /><span>${children}</span></li>`;
}
