/** The models of a repository of the hub: which are shown first, and which are in the catalogue. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").Variant} Variant
 * @typedef {import("../../lib/api_types.js").Repository} Repository
 * @typedef {import("../../lib/api_types.js").Model} Model
 */

/** How many models of a repository are shown before "Show all". */
export const SHOWN_FIRST = 4;

/**
 * @param {Repository} repository @param {boolean} isOpen Whether all are shown.
 * @returns {Variant[]} The suggested one first, the others smallest first. Unless open: those whose sizes are nearest.
 */
export function shownVariants({ variants, suggested }, isOpen) {
  const first = variants.find((variant) => variant.label === suggested);
  const others = variants.filter((variant) => variant !== first);
  if (isOpen || variants.length <= SHOWN_FIRST + 1) return first ? [first, ...others] : others;
  if (!first) return others.slice(0, SHOWN_FIRST);
  const distance = (/** @type {Variant} */ variant) => Math.abs(variant.size_bytes - first.size_bytes);
  const nearest = new Set([...others].sort((a, b) => distance(a) - distance(b)).slice(0, SHOWN_FIRST - 1));
  return [first, ...others.filter((variant) => nearest.has(variant))];
}

/** @param {Variant} variant @param {string} repo @param {readonly Model[]} models @returns {Model | null} The model of the catalogue with this file. */
export function modelOf(variant, repo, models) {
  const names = new Set(variant.files.map((file) => file.name));
  return models.find(({ source }) => source.repo === repo && source.file !== null && names.has(source.file)) ?? null;
}
