/**
 * Requests and tokens per second, as means over the last seconds. Pure: times are arguments, in milliseconds of
 * `performance.now()`.
 *
 * Tokens are known when the requests in progress are read, and when a request ends. Those since the last reading are
 * spread over the time in which they came, so that a response that arrives as a whole is no burst.
 */

/**
 * @typedef {Pick<import("../../lib/api_types.js").RunningRequest, "request_id" | "model" | "age_s" | "waited_s" | "chunks"> & {seenAt: number}} Reading
 * @typedef {Pick<import("../../lib/api_types.js").StoredRequest, "id" | "request_id" | "model" | "count" | "duration_s" | "waited_s" | "completion_tokens">} Ended
 * @typedef {{tokens: number, requests: number}} Rate
 * @typedef {{total: Rate, byModel: ReadonlyMap<string, Rate>, byRequest: ReadonlyMap<string, number>}} Rates Per second.
 * @typedef {{model: string, from: number, to: number, tokens: number, requests: number}} Share
 */

export const WINDOW_MS = 10_000;
const STALE_MS = 3000;

/** @type {Rates} */
export const NO_RATES = { total: { tokens: 0, requests: 0 }, byModel: new Map(), byRequest: new Map() };

export class RateMeter {
  /** @param {number} startedAt */
  constructor(startedAt) {
    this.startedAt = startedAt;
    /** When all requests in progress were last read. */
    this.readAt = startedAt;
    /** @type {Share[]} */
    this.shares = [];
    /** The readings of each request in progress within the window. @type {Map<string, {at: number, chunks: number}[]>} */
    this.samples = new Map();
    /** @type {Ended | null} */
    this.newest = null;
  }

  /** Add all requests in progress. Those that were not read again are as before. @param {readonly Reading[]} running */
  addRunning(running) {
    for (const request of running) {
      const samples = this.samples.get(request.request_id) ?? [];
      const last = samples.at(-1);
      if (last && last.at >= request.seenAt) continue;
      const begunAt = last?.at ?? request.seenAt - 1000 * Math.max(0, request.age_s - (request.waited_s ?? 0));
      this.#addTokens(request.model, request.chunks - (last?.chunks ?? 0), begunAt, request.seenAt);
      // The rate of a stream begins with its first part, not with the wait for it.
      const kept = request.chunks === 0 ? [] : samples;
      kept.push({ at: request.seenAt, chunks: request.chunks });
      while (kept.length > 2 && /** @type {{at: number}} */ (kept[1]).at <= request.seenAt - WINDOW_MS) kept.shift();
      this.samples.set(request.request_id, kept);
    }
    if (running.length > 0) this.readAt = Math.max(this.readAt, Math.min(...running.map((request) => request.seenAt)));
  }

  /**
   * Add the requests that ended since the last call. Only those of the event stream count, which have no `id` yet:
   * others are of the history.
   * @param {readonly Ended[]} finished Newest first. @param {number} now
   */
  addFinished(finished, now) {
    for (const request of finished) {
      if (request === this.newest || request.id !== null) break;
      const last = this.samples.get(request.request_id)?.at(-1);
      this.samples.delete(request.request_id);
      if (request.model === null) continue;
      this.shares.push({ model: request.model, from: now, to: now, tokens: 0, requests: request.count });
      const begunAt = last?.at ?? now - 1000 * Math.max(0, request.duration_s - (request.waited_s ?? 0));
      this.#addTokens(request.model, (request.completion_tokens ?? 0) - (last?.chunks ?? 0), begunAt, now);
    }
    this.newest = finished[0] ?? null;
  }

  /**
   * Return the means, and forget what is older. They end at the last reading: after it, tokens are not known yet.
   * @param {number} now @returns {Rates}
   */
  rates(now) {
    const end = this.samples.size > 0 && now - this.readAt < STALE_MS ? this.readAt : now;
    const start = Math.max(end - WINDOW_MS, this.startedAt);
    this.shares = this.shares.filter((share) => share.to >= now - WINDOW_MS - STALE_MS);
    this.#forgetRequests(now);
    const seconds = Math.max(1, (end - start) / 1000);
    /** @type {Map<string, Rate>} */
    const byModel = new Map();
    const total = { tokens: 0, requests: 0 };
    for (const share of this.shares) {
      const part = overlap(share, start, end) / seconds;
      if (part === 0) continue;
      const rate = byModel.get(share.model) ?? { tokens: 0, requests: 0 };
      byModel.set(share.model, rate);
      for (const sum of [rate, total]) {
        sum.tokens += share.tokens * part;
        sum.requests += share.requests * part;
      }
    }
    const byRequest = new Map([...this.samples].map(([id, samples]) => [id, slope(samples)]));
    return { total, byModel, byRequest };
  }

  /** @param {string | null} model @param {number} tokens @param {number} from @param {number} to */
  #addTokens(model, tokens, from, to) {
    if (model !== null && tokens > 0) this.shares.push({ model, from: Math.min(from, to), to, tokens, requests: 0 });
  }

  /** @param {number} now A request whose end was not seen, such as over a lost connection, is not read any more. */
  #forgetRequests(now) {
    for (const [id, samples] of this.samples) {
      if (/** @type {{at: number}} */ (samples.at(-1)).at < now - 6 * WINDOW_MS) this.samples.delete(id);
    }
  }
}

/** @param {Share} share @param {number} start @param {number} end @returns {number} The part of it within a time, 0 to 1. */
function overlap({ from, to }, start, end) {
  if (to === from) return to > start && to <= end ? 1 : 0;
  return Math.max(0, Math.min(to, end) - Math.max(from, start)) / (to - from);
}

/** @param {{at: number, chunks: number}[]} samples @returns {number} Per second, between the first and the last one. */
function slope(samples) {
  const first = samples[0];
  const last = samples.at(-1);
  return first && last && last.at > first.at ? (1000 * (last.chunks - first.chunks)) / (last.at - first.at) : 0;
}
