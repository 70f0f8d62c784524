/** Which rows of a long list are in view. Pure. */

/**
 * @param {{count: number, rowHeight: number, top: number, height: number, margin?: number}} view In pixels; `margin`
 *   is the number of rows that are drawn beyond each edge.
 * @returns {{first: number, last: number, before: number, after: number}} Rows from `first` up to `last` (exclusive),
 *   and the heights of what is not drawn.
 */
export function visibleRows({ count, rowHeight, top, height, margin = 8 }) {
  const first = Math.max(0, Math.min(count, Math.floor(top / rowHeight)) - margin);
  const last = Math.min(count, Math.max(0, Math.ceil((top + height) / rowHeight)) + margin);
  return { first, last: Math.max(first, last), before: first * rowHeight, after: (count - Math.max(first, last)) * rowHeight };
}
