/** What the usage page shows: a period, a grouping and a measure, as in the query of its URL. Pure. */

/**
 * @typedef {{since: string, by: GroupField, measure: string}} View
 * @typedef {"model" | "key" | "client"} GroupField
 */

export const PERIODS = [
  { value: "today", label: "Today", since: "today", step: "hour" },
  { value: "7d", label: "7 days", since: "6d", step: "day" },
  { value: "30d", label: "30 days", since: "29d", step: "day" },
  { value: "all", label: "All", since: "", step: "day" },
];
/** @type {{value: GroupField, label: string}[]} */
export const GROUPS = [{ value: "model", label: "Model" }, { value: "key", label: "Key" }, { value: "client", label: "Client" }];
export const MEASURES = [
  { value: "tokens", label: "Tokens" },
  { value: "requests", label: "Requests" },
  { value: "groups", label: "Tokens by group" },
];

/** @param {URLSearchParams} query @returns {View} Unknown values are the default ones. */
export function viewOf(query) {
  return { since: known(PERIODS, query.get("since"), "7d"), by: /** @type {GroupField} */ (known(GROUPS, query.get("by"), "model")), measure: known(MEASURES, query.get("show"), "tokens") };
}

/** @param {View} view @returns {Record<string, string>} The query of the page's URL. */
export function queryOf({ since, by, measure }) {
  return { since, by, show: measure };
}

/** @param {string} since @returns {{since: string, step: "hour" | "day"}} Of a period: the time from which, and the length of the chart's steps. */
export function periodOf(since) {
  const found = PERIODS.find(({ value }) => value === since);
  return { since: found?.since ?? "", step: found?.step === "hour" ? "hour" : "day" };
}

/** @param {string} since @returns {string} The filter for the requests of a period, as near as there is one; empty: for all. */
export function requestsSince(since) {
  return { today: "24h", all: "" }[since] ?? since;
}

/** @param {number} start Unix time of a step. @param {"hour" | "day"} step @returns {string} "14:00", or "11-28". */
export function stepLabel(start, step) {
  const { year, month, day, hour } = partsOf(start, step);
  return step === "hour" ? `${hour}:00` : year === String(new Date().getFullYear()) ? `${month}-${day}` : `${year}-${month}-${day}`;
}

/** @param {number} start @param {"hour" | "day"} step @returns {string} "2026-11-28 14:00", or "2026-11-28". */
export function stepDate(start, step) {
  const { year, month, day, hour } = partsOf(start, step);
  return `${year}-${month}-${day}${step === "hour" ? ` ${hour}:00` : ""}`;
}

/** @param {number} start @param {"hour" | "day"} step */
function partsOf(start, step) {
  // Days begin at midnight where the server is: noon is on the same date here, too.
  const date = new Date((step === "day" ? start + 12 * 3600 : start) * 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return { year: String(date.getFullYear()), month: two(date.getMonth() + 1), day: two(date.getDate()), hour: two(date.getHours()) };
}

/** @param {{value: string}[]} options @param {string | null} value @param {string} other */
function known(options, value, other) {
  return options.some((option) => option.value === value) ? /** @type {string} */ (value) : other;
}
