/** System: the server and its machine, checks, settings and keys. */

import { api, connection, ErrorNote, go, html, Loading, Tabs, useEffect, useLoad } from "../../ui/kit.js";
import { ChecksCard } from "./checks_card.js";
import { EngineCard, MachineCard, ServerCard } from "./facts_cards.js";
import { KeysTab } from "./keys_tab.js";
import { LinksCard, TabCard } from "./links_card.js";
import { useReconnections } from "./reconnections.js";
import { SettingsTab } from "./settings_tab.js";

const INTERVAL_MS = 15_000;
const TABS = [
  { id: "overview", label: "Overview" },
  { id: "settings", label: "Settings" },
  { id: "keys", label: "Keys" },
];

/** @param {{rest: string}} props `rest`: the tab. */
export function Page({ rest }) {
  const current = TABS.some((tab) => tab.id === rest) ? rest : "overview";
  return html`<div class="page-head"><h1>System</h1></div>
    <div class="stack">
      <${Tabs} label="Parts of the system" tabs=${TABS} current=${current} onSelect=${(/** @type {string} */ id) => go("system", id === "overview" ? "" : id)} />
      ${current === "settings" ? html`<${SettingsTab} />` : current === "keys" ? html`<${KeysTab} />` : html`<${Overview} />`}
    </div>`;
}

function Overview() {
  const reconnections = useReconnections();
  const system = useLoad(async (signal) => ({ ...(await api.get("/gglib/system", { signal })), since: performance.now() }), [reconnections]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden && connection.value === "live") void system.reload();
    }, INTERVAL_MS);
    return () => clearInterval(timer);
  }, [system.reload]);
  const value = system.value;
  // While the server restarts, the state of the connection says so: what was read stays.
  const error = value !== null && connection.value === "lost" ? null : system.error;
  return html`<${ErrorNote} error=${error} onRetry=${system.reload} />
    ${value === null && system.isLoading ? html`<${Loading} label="Loading" />` : null}
    <div class="system-grid">
      <${ChecksCard} />
      <div class="stack">${value === null ? null : html`<${MachineCard} system=${value} /><${EngineCard} engine=${value.engine} />`}</div>
      <div class="stack">${value === null ? null : html`<${ServerCard} system=${value} since=${value.since} />`}
        <${LinksCard} needsKey=${value?.keys_required ?? false} /><${TabCard} /></div>
    </div>`;
}
