/** The filters above the list. */

import { api, Checkbox, html, SearchInput, Select, useEffect, useLoad, useSettled, useState } from "../../ui/kit.js";
import { NONE, PERIODS, STATUSES } from "./filters.js";

/**
 * @typedef {import("./filters.js").Filters} Filters
 * @typedef {import("../../lib/api_types.js").Usage} Usage
 * @typedef {"model" | "key" | "client"} NameField
 */

const TYPING_MS = 250;
/** @type {NameField[]} */
const NAME_FIELDS = ["model", "key", "client"];
/** @type {Record<NameField, {all: string, none: string}>} */
const LABELS = {
  model: { all: "All models", none: "Without a model" },
  key: { all: "All keys", none: "Without a key" },
  client: { all: "All clients", none: "Unknown client" },
};

/** @param {{filters: Filters, onChange: (changes: Partial<Filters>) => void}} props */
export function FilterBar({ filters, onChange }) {
  const names = useLoad(readNames, []).value ?? { model: [], key: [], client: [] };
  const [text, setText] = useState(filters.q);
  const settled = useSettled(text, TYPING_MS);
  useEffect(() => {
    if (settled !== filters.q) onChange({ q: settled });
  }, [settled]);
  useEffect(() => setText(filters.q), [filters.q]);
  const hasKeys = filters.key !== "" || names.key.some((name) => name !== "");
  return html`<div class="filters" role="search" aria-label="Requests">
    <${SearchInput} label="Filter by any name" placeholder="Any name or id" value=${text} onInput=${setText} />
    ${NAME_FIELDS.filter((field) => field !== "key" || hasKeys).map((field) => html`<${Select} key=${field} aria-label=${`Filter by ${field}`}
      value=${filters[field]} options=${options(field, names[field], filters[field])} onChange=${(/** @type {string} */ value) => onChange({ [field]: value })} />`)}
    <${Select} aria-label="Filter by status" value=${filters.status} options=${withCurrent(STATUSES, filters.status)} onChange=${(/** @type {string} */ status) => onChange({ status })} />
    <${Select} aria-label="Filter by time" value=${filters.since} options=${withCurrent(PERIODS, filters.since)} onChange=${(/** @type {string} */ since) => onChange({ since })} />
    <${Checkbox} label="Caused a swap" checked=${filters.swap} onChange=${(/** @type {boolean} */ swap) => onChange({ swap })} />
  </div>`;
}

/** Read the names that requests had so far. @param {AbortSignal} signal @returns {Promise<Record<NameField, string[]>>} */
async function readNames(signal) {
  const usages = await Promise.all(NAME_FIELDS.map((by) => api.get("/gglib/usage", { query: { by }, signal })));
  const [model = [], key = [], client = []] = usages.map((/** @type {Usage} */ usage, index) => usage.usage.map((row) => row[/** @type {NameField} */ (NAME_FIELDS[index])] ?? ""));
  return { model, key, client };
}

/** @param {NameField} field @param {string[]} names @param {string} current */
function options(field, names, current) {
  const named = names.filter((name) => name !== "").map((name) => ({ value: name, label: name }));
  const none = names.includes("") ? [{ value: NONE, label: LABELS[field].none }] : [];
  return withCurrent([{ value: "", label: LABELS[field].all }, ...named, ...none], current);
}

/** @param {{value: string, label: string}[]} choices @param {string} current A value of the URL may be none of them. */
function withCurrent(choices, current) {
  return choices.some(({ value }) => value === current) ? choices : [...choices, { value: current, label: current }];
}
