/** Icons, drawn for this page: strokes in a square of 24 units. */

import { html } from "../lib/html.js";

/** @type {Record<string, string>} */
const PATHS = {
  now: "M4 13h4l3-8 4 14 2-6h3",
  requests: "M5 6h14M5 12h14M5 18h9",
  usage: "M5 20V11M12 20V4M19 20v-6",
  models: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  find: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16.5 16.5L21 21",
  chat: "M4 5h16v11H10l-5 4v-4H4z",
  connect: "M9 15l6-6M10.5 6.5l2-2a4.2 4.2 0 0 1 6 6l-2 2M13.5 17.5l-2 2a4.2 4.2 0 0 1-6-6l2-2",
  logs: "M5 3h10l4 4v14H5zM9 11h6M9 15h6",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  load: "M12 4v12M7 11l5 5 5-5M5 20h14",
  unload: "M12 16V4M7 9l5-5 5 5M5 20h14",
  pin: "M9 4h6l-1 6 3 3H7l3-3zM12 13v8",
  close: "M6 6l12 12M18 6L6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 13l4 4L19 7",
  stop: "M6 6h12v12H6z",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  retry: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 4M15 9h.01",
  send: "M4 12l16-8-6 16-3-7z",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  menu: "M4 6h16M4 12h16M4 18h16",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M19 5l-1.5 1.5M6.5 17.5L5 19",
  moon: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z",
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01",
  add: "M12 5v14M5 12h14",
  right: "M9 5l7 7-7 7",
  down: "M5 9l7 7 7-7",
  swap: "M4 8h13l-3-3M20 16H7l3 3",
  key: "M14 10a4 4 0 1 0-3.5 4L12 15.500v2h2v2h3v-3l-3.500-3.500",
  open: "M10 5H5v14h14v-5M14 4h6v6M20 4l-9 9",
};

/** @param {{name: string, label?: string}} props Without a label it is decoration, which screen readers skip. */
export function Icon({ name, label }) {
  return html`<svg class="icon" viewBox="0 0 24 24" role=${label ? "img" : undefined} aria-label=${label} aria-hidden=${label ? undefined : "true"} focusable="false">
    <path d=${PATHS[name] ?? ""} />
  </svg>`;
}
