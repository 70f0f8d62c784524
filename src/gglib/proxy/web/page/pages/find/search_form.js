/** The search of the hub: words, a repository, or a target to pull. */

import { Button, html, Select, useEffect, useRef, useState } from "../../ui/kit.js";

const SORTS = [
  { value: "", label: "Downloads" },
  { value: "trending", label: "Trending" },
  { value: "likes", label: "Likes" },
  { value: "updated", label: "Newest" },
];
const SIZES = [
  { value: "", label: "Any size" },
  ...[2, 4, 8, 16, 32, 64].map((gigabytes) => ({ value: String(gigabytes * 1e9), label: `Up to ${gigabytes} GB` })),
];

/** @typedef {{q: string, sort: string, max: string, limit: number}} Search */

/** @param {{search: Search, onSearch: (query: Record<string, string>) => void, onDown: () => void}} props `onDown`: the arrow to the results was pressed. */
export function SearchForm({ search, onSearch, onDown }) {
  const [text, setText] = useState(search.q);
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    if (globalThis.matchMedia("(pointer: fine)").matches) input.current?.focus();
  }, []);
  useEffect(() => setText(search.q), [search.q]);
  const change = (/** @type {Record<string, string>} */ changes) => onSearch({ q: text.trim(), sort: search.sort, max: search.max, ...changes });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    change({});
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    onDown();
  };
  return html`<form role="search" class="find-form" onSubmit=${submit}>
    <input ref=${input} type="search" aria-label="Search the hub" aria-describedby="find-hint" placeholder="Search the hub, or owner/repo:QUANT, or a URL" spellcheck="false" autocomplete="off"
      value=${text} onKeyDown=${onKeyDown} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
    <${Select} aria-label="Order by" value=${search.sort} options=${SORTS} onChange=${(/** @type {string} */ sort) => change({ sort })} />
    <${Select} aria-label="Size of the files" value=${search.max} options=${SIZES} onChange=${(/** @type {string} */ max) => change({ max })} />
    <${Button} kind="primary" type="submit" icon="find">Search<//>
    <p class="hint" id="find-hint">Enter searches; the arrow keys move to the models and between them, Enter pulls.</p>
  </form>`;
}
