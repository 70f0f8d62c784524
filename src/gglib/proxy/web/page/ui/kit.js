/** What views are made of: templates, hooks, the API, formats, routes, the live state and controls, in one import. */

export * from "../lib/api.js";
export * from "../lib/format.js";
export * from "../lib/html.js";
export * from "../state/session.js";
export * from "../state/live.js";
export * from "./controls.js";
export * from "./feedback.js";
