/** What views are made of: templates, hooks, the API, formats, routes, the live state and controls, in one import. */

export * from "../lib/api.js";
export * from "../lib/format.js";
export * from "../lib/html.js";
export * from "../lib/load.js";
export * from "../lib/router.js";
export * from "../state/live.js";
export * from "../state/session.js";
export * from "../state/toasts.js";
export * from "./controls.js";
export * from "./dialog.js";
export * from "./feedback.js";
export * from "./fields.js";
export * from "./icon.js";
