/** Saves lines of a log as a text file. */

import { api, segment } from "../../lib/api.js";

const MAX_LINES = 5000;

/** Save the last lines of the log, as the server has them. @param {string} name */
export async function downloadLog(name) {
  const { lines } = await api.get(`/gglib/logs/${segment(name)}`, { query: { lines: MAX_LINES } });
  saveText(fileName(name), lines.map((/** @type {{text: string}} */ line) => line.text));
}

/** @param {string} name @param {string[]} lines */
export function saveText(name, lines) {
  const url = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/plain;charset=utf-8" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000); // the browser reads it after the click
}

/** @param {string} name A log, such as `engine:owner/model`. */
export function fileName(name) {
  return `${name.replace(/[^A-Za-z0-9._-]+/g, "-")}.log.txt`;
}
