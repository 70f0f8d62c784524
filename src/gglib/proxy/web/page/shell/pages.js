/** The pages, in the order of the navigation. A page's module is loaded when it is first opened. */

/**
 * @typedef {{id: string, title: string, icon: string, group: string, load: () => Promise<{Page: any}>}} PageEntry
 */

/** @type {PageEntry[]} */
export const PAGES = [
  { id: "now", title: "Now", icon: "now", group: "Watch", load: () => import("../pages/now/page.js") },
  { id: "requests", title: "Requests", icon: "requests", group: "Watch", load: () => import("../pages/requests/page.js") },
  { id: "usage", title: "Usage", icon: "usage", group: "Watch", load: () => import("../pages/usage/page.js") },
  { id: "models", title: "Models", icon: "models", group: "Models", load: () => import("../pages/models/page.js") },
  { id: "find", title: "Find", icon: "find", group: "Models", load: () => import("../pages/find/page.js") },
  { id: "chat", title: "Chat", icon: "chat", group: "Use", load: () => import("../pages/chat/page.js") },
  { id: "connect", title: "Connect", icon: "connect", group: "Use", load: () => import("../pages/connect/page.js") },
  { id: "logs", title: "Logs", icon: "logs", group: "Server", load: () => import("../pages/logs/page.js") },
  { id: "system", title: "System", icon: "system", group: "Server", load: () => import("../pages/system/page.js") },
];

/** @param {string} id @returns {PageEntry | undefined} */
export function pageOf(id) {
  return PAGES.find((page) => page.id === id);
}
