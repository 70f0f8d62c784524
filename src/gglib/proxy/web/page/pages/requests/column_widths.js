/** Which columns fit into the list. Widths in pixels are those of `style/requests.css`. Pure. */

/** In their order from the left; `rank`: those with the highest are left out first. */
const COLUMNS = [
  { id: "time", width: 92, rank: 1, isNumber: false },
  { id: "model", width: 176, rank: 0, isNumber: false },
  { id: "client", width: 100, rank: 4, isNumber: false },
  { id: "key", width: 84, rank: 10, isNumber: false },
  { id: "route", width: 136, rank: 9, isNumber: false },
  { id: "status", width: 114, rank: 2, isNumber: false },
  { id: "waited", width: 72, rank: 7, isNumber: true },
  { id: "first", width: 98, rank: 6, isNumber: true },
  { id: "total", width: 90, rank: 3, isNumber: true },
  { id: "prompt", width: 66, rank: 8, isNumber: true },
  { id: "cached", width: 70, rank: 12, isNumber: true },
  { id: "completion", width: 70, rank: 5, isNumber: true },
  { id: "speed", width: 88, rank: 11, isNumber: true },
];
const FIRST = 3; // never left out: on a phone they are narrower

/** @param {number} width @param {boolean} hasKeys @returns {{id: string, isNumber: boolean}[]} */
export function fitting(width, hasKeys) {
  const taken = new Set();
  let rest = width;
  for (const column of [...COLUMNS].sort((one, other) => one.rank - other.rank)) {
    if (column.id === "key" && !hasKeys) continue;
    if (column.rank > FIRST && column.width > rest) break;
    rest -= column.width;
    taken.add(column.id);
  }
  return COLUMNS.filter(({ id }) => taken.has(id));
}
