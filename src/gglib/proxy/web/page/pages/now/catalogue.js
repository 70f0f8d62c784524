/** Which models of the catalogue can be chosen to load. Pure. */

/** @typedef {import("../../lib/api_types.js").Model} Model */

export const MOST_SHOWN = 100;

/**
 * @param {readonly Model[]} models @param {string} text Words that a name or an alias contains, in any order.
 * @returns {{shown: Model[], more: number}} By name, and how many others match.
 */
export function matching(models, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = models.filter((model) => {
    const names = [model.name, ...model.aliases].join(" ").toLowerCase();
    return words.every((word) => names.includes(word));
  });
  found.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  return { shown: found.slice(0, MOST_SHOWN), more: Math.max(0, found.length - MOST_SHOWN) };
}
