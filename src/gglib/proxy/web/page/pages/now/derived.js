/** What follows from the live state: the rates since this module was first loaded, and the colour of each model. */

import { computed, connection, effect, finished, now, running, signal, status, untracked } from "../../ui/kit.js";
import { assignColours } from "./memory.js";
import { NO_RATES, RateMeter } from "./rates.js";

/** New each second, not with each event, so that numbers can be read. @type {import("../../vendor/signals.js").Signal<import("./rates.js").Rates>} */
export const rates = signal(NO_RATES);

let meter = new RateMeter(performance.now());

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

/** @type {Map<number, number>} */
let last = new Map();

/** The colour (1 to 8) by the id of a model, the same in the bars and the cards. */
export const colours = computed(() => {
  last = assignColours(last, (status.value?.residents ?? []).map((resident) => resident.model_id));
  return last;
});
