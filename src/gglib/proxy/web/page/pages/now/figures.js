/**
 * What the live state is shown as: rates, bars of memory, the queue, the phases of swaps, and times that are counted on
 * between two snapshots, in whole seconds so that they are calm to read. Sizes in bytes, times in seconds. Pure, but for
 * `rates`.
 */

import { connection, count, deviceTitle, duration, effect, finished, NO_VALUE, now, running, signal, untracked } from "../../ui/kit.js";

/**
 * @typedef {import("../../lib/api_types.js").Status} Status
 * @typedef {Pick<Status, "devices" | "limits" | "residents">} Machine This machine or a node.
 * @typedef {import("../../lib/api_types.js").SwapStatus} Swap
 * @typedef {import("../../lib/api_types.js").RunningRequest & {seenAt: number}} Request
 * @typedef {{id: number, name: string, colour: number, size: number, measured: number | null, isMeasured: boolean}} ModelShare
 * @typedef {{device: string, title: string, total: number, isTotalKnown: boolean, free: number | null, other: number,
 *   limit: number | null, used: number, models: ModelShare[]}} DeviceBar
 * `size` is what the scheduler counts with; `used` is the sum of the sizes.
 * @typedef {import("../../lib/api_types.js").WaitingStatus & {requests: Request[]}} Group Requests that wait for a model, as of the snapshot.
 * @typedef {{id: "wait" | "drain" | "stop" | "load", title: string, seconds: number}} Segment
 * @typedef {Pick<import("../../lib/api_types.js").RunningRequest, "request_id" | "model" | "age_s" | "waited_s" | "chunks"> & {seenAt: number}} Reading
 * @typedef {Pick<import("../../lib/api_types.js").StoredRequest, "id" | "request_id" | "model" | "count" | "duration_s" | "waited_s" | "completion_tokens">} Ended
 * @typedef {{tokens: number, requests: number}} Rate
 * @typedef {{total: Rate, byModel: ReadonlyMap<string, Rate>, byRequest: ReadonlyMap<string, number>}} Rates Per second.
 * @typedef {{model: string, from: number, to: number, tokens: number, requests: number}} Share
 */

/** The phases of a swap, in their order. @type {readonly Omit<Segment, "seconds">[]} */
export const PHASES = [
  { id: "wait", title: "waited" },
  { id: "drain", title: "drain" },
  { id: "stop", title: "stop" },
  { id: "load", title: "load" },
];
const LEAST_PHASE_S = 0.05;
export const WINDOW_MS = 10_000;
const STALE_MS = 3000;

/** @type {Rates} */
export const NO_RATES = { total: { tokens: 0, requests: 0 }, byModel: new Map(), byRequest: new Map() };

/**
 * Requests and tokens per second, as means over the last seconds; times are in milliseconds of `performance.now()`.
 *
 * Tokens are known when the requests in progress are read, and when a request ends. Those since the last reading are
 * spread over the time in which they came, so that a response that arrives as a whole is no burst.
 */
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

let meter = new RateMeter(performance.now());

/** Since this module was first loaded; new each second, not with each event, so that numbers can be read. */
export const rates = signal(NO_RATES);

effect(() => {
  if (connection.value !== "live") meter = new RateMeter(performance.now());
});
effect(() => {
  const requests = running.value;
  meter.addFinished(finished.value, performance.now());
  meter.addRunning(requests);
});
effect(() => {
  const at = now.value;
  untracked(() => {
    rates.value = meter.rates(Math.max(at, performance.now()));
  });
});

/** @param {Machine} status @param {ReadonlyMap<number, number>} colours @returns {DeviceBar[]} RAM first, then GPUs. */
export function deviceBars(status, colours) {
  const names = new Set([status.devices ?? {}, status.limits, ...status.residents.map(({ size }) => size)].flatMap(Object.keys));
  const order = (/** @type {string} */ one, /** @type {string} */ other) => Number(other === "ram") - Number(one === "ram") || byName(one, other);
  return [...names].sort(order).map((device) => deviceBar(status, device, colours));
}

/** @param {ModelShare} share @returns {{solid: number, lighter: number}} Measured bytes, and those that are only expected. */
export function solidAndLighter({ size, measured, isMeasured }) {
  const solid = isMeasured ? Math.min(size, measured ?? size) : 0;
  return { solid, lighter: size - solid };
}

/**
 * @param {readonly import("../../lib/api_types.js").WaitingStatus[]} waiting @param {readonly Request[]} running All requests in progress.
 * @returns {Group[]} The longest wait first. Requests that began to wait after the snapshot are left out.
 */
export function queueGroups(waiting, running) {
  return waiting.toSorted((one, other) => other.longest_wait_s - one.longest_wait_s).map((group) => (
    { ...group, requests: running.filter(({ state, model }) => state === "waiting" && model === group.model_name) }));
}

/** @param {Pick<Group, "runs_in_s" | "is_minimum">} group @param {number} since Seconds since the snapshot. @returns {string} */
export function runsInText({ runs_in_s: runsIn = null, is_minimum: isMinimum = false }, since) {
  const left = (runsIn ?? 0) - since;
  if (runsIn === null || (isMinimum && left < 0.5)) return "not known";
  return left < 0.5 ? "now" : `${isMinimum ? "at least" : "about"} ${counting(left)}`;
}

/** @param {Pick<Group, "waits_for">} group @returns {string} "2 responses of llama", "its load"; "–" if unknown. */
export function waitsForText({ waits_for: waitsFor }) {
  return waitsFor || NO_VALUE;
}

/** @param {Pick<Request, "client" | "address">} request @returns {string} */
export function clientText({ client, address }) {
  return client ?? address ?? "unknown client";
}

/** @param {Swap} swap @returns {Segment[]} The phases that took a notable time. */
export function segmentsOf(swap) {
  const times = { wait: swap.waited_s, drain: swap.drain_s, stop: swap.stop_s, load: swap.load_s };
  return PHASES.map((phase) => ({ ...phase, seconds: times[phase.id] })).filter(({ seconds }) => seconds >= LEAST_PHASE_S);
}

/** @param {Swap} swap @returns {number} */
export function lengthOf(swap) {
  return Math.max(swap.total_s, segmentsOf(swap).reduce((sum, { seconds }) => sum + seconds, 0));
}

/** @param {readonly Swap[]} swaps @returns {number} The scale of their bars: the longest of them, at least a second. */
export function scaleOf(swaps) {
  return Math.max(1, ...swaps.map(lengthOf));
}

/** @param {Swap} swap @param {number} index @returns {string} A key that stays when newer swaps come before it. */
export function keyOf({ ended_at: endedAt, from_model: from, to_model: to }, index) {
  return endedAt ? `${endedAt} ${from} ${to}` : `at ${index}`;
}

/** @param {Swap} swap @returns {string} What happened, for those that do not see the chart. */
export function moveText({ from_model: from, to_model: to }) {
  if (to === null) return `${from} unloaded`;
  return from === null ? `${to} loaded` : `${from} replaced by ${to}`;
}

/** @param {Status} status @returns {string[]} Its hint, and those of single models. */
export function hintsOf({ hint, residents }) {
  return [hint, ...residents.map((resident) => resident.keep_hint)].flatMap((text) => text || []);
}

/** @param {Swap} swap @returns {string} The prompts that it saved and restored, after its reason; empty without any. */
export function keptText({ saved, restored }) {
  const text = (/** @type {string} */ verb, /** @type {Swap["saved"]} */ kept) => (kept ? `; ${verb} ${count(kept.tokens)} tokens` : "");
  return text("saved", saved) + text("restored", restored);
}

/** @param {number | null | undefined} seconds "4 s", "3 min 20 s". */
export function counting(seconds) {
  if (seconds === null || seconds === undefined) return NO_VALUE;
  return seconds < 59.5 ? `${Math.max(0, Math.round(seconds))} s` : duration(seconds);
}

/** @param {number} now @param {number} at Both of `performance.now()`. @returns {number} Seconds, not negative. */
export function secondsSince(now, at) {
  return Math.max(0, now - at) / 1000;
}

/** @param {string} one @param {string} other */
export function byName(one, other) {
  return one.localeCompare(other, "en", { numeric: true });
}

/** @param {Machine} status @param {string} device @param {ReadonlyMap<number, number>} colours @returns {DeviceBar} */
function deviceBar(status, device, colours) {
  const models = status.residents.map(({ model_id: id, model_name: name, size, measured_size: measured, is_measured: isMeasured }) => (
    { id, name, colour: colours.get(id) ?? 1, size: size[device] ?? 0, measured: measured?.[device] ?? null, isMeasured }
  )).filter(({ size }) => size > 0);
  const used = models.reduce((sum, { size }) => sum + size, 0);
  const { total_bytes: physical = null, available_bytes: free = null } = status.devices?.[device] ?? {};
  const limit = status.limits[device] ?? null;
  // Files that an engine maps are available memory: other use is then counted too low, never below zero.
  const other = physical === null || free === null ? 0 : Math.max(0, physical - free - used);
  const total = Math.max(physical ?? limit ?? used, used + other);
  return { device, title: deviceTitle(device), total, isTotalKnown: physical !== null, free, other, limit, used, models };
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
