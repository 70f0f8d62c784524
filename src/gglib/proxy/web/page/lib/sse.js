/** Parses server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */

/**
 * Yield the events of a stream. Comments, ids and retry times are ignored; an event without data is not yielded.
 *
 * A connection may be dead without an end, such as after the machine slept. So a stream that has sent comments, which
 * are its heartbeats, fails when it is silent for `idleMs`, or for thrice the time between its heartbeats. Without
 * heartbeats, which a server's settings can turn off, silence means nothing.
 * @param {ReadableStream<Uint8Array>} stream
 * @param {{idleMs?: number}} [limits] In milliseconds; by default a stream may be silent for ever.
 * @returns {AsyncGenerator<{event: string, data: string}, void, void>}
 */
export async function* parseEvents(stream, { idleMs = Infinity } = {}) {
  const parser = new EventParser();
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let limitMs = Infinity;
  let readAt = performance.now();
  try {
    for (;;) {
      const { done, value } = await within(limitMs, reader.read());
      if (done) return;
      const events = parser.feed(decoder.decode(value, { stream: true }));
      if (parser.takeComments()) limitMs = Math.max(idleMs, 3 * (performance.now() - readAt));
      yield* events;
      readAt = performance.now();
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @template T @param {number} limitMs @param {Promise<T>} promise @returns {Promise<T>} Rejects if it takes longer. */
async function within(limitMs, promise) {
  if (limitMs === Infinity) return promise;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("The connection to the server went silent.")), limitMs);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (silence)]);
  } finally {
    clearTimeout(timer);
  }
}

/** An incremental parser: pieces of text in, events out. */
export class EventParser {
  #rest = "";
  #event = "";
  /** @type {string[]} */
  #data = [];
  #hasComments = false;

  /** @returns {boolean} Whether there were comments since the last call. */
  takeComments() {
    const hadComments = this.#hasComments;
    this.#hasComments = false;
    return hadComments;
  }

  /** @param {string} text @returns {{event: string, data: string}[]} The events that are complete now. */
  feed(text) {
    const found = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#line(line);
      if (event !== null) found.push(event);
    }
    return found;
  }

  /** @param {string} line @returns {{event: string, data: string} | null} */
  #line(line) {
    if (line === "") {
      const event = { event: this.#event || "message", data: this.#data.join("\n") };
      const hasData = this.#data.length > 0;
      this.#event = "";
      this.#data = [];
      return hasData ? event : null;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (colon === 0) this.#hasComments = true;
    else if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    return null;
  }
}
