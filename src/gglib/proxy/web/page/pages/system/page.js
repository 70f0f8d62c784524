/** System: the server and its machine, checks, settings and keys. */

import { api, Badge, Bar, Button, bytes, Checkbox, connection, Copy, CopyText, count, counted, dateTime, Elapsed, Empty, ErrorNote, forgetKey, go, html, Icon, key, link, Loading, Note, percent, SearchInput, Tabs, toast, useEffect, useLoad, useRef, useState } from "../../ui/kit.js";
import { byUrgency, changeCommand, changeNote, foundSettings, limitsOf, messageParts, reloadText, sourceText, summaryOf, VERDICTS } from "./texts.js";

/**
 * @typedef {import("../../lib/api_types.js").Key} Key
 * @typedef {import("../../lib/api_types.js").Reloaded} Reloaded
 * @typedef {import("../../lib/api_types.js").SettingValue} Setting
 * @typedef {import("../../lib/api_types.js").System} System
 */

const INTERVAL_MS = 15_000;
const TABS = [
  { id: "overview", label: "Overview" },
  { id: "settings", label: "Settings" },
  { id: "keys", label: "Keys" },
];
const DOCUMENTS = [
  { path: "/docs", title: "API reference" },
  { path: "/openapi.json", title: "OpenAPI document" },
  { path: "/metrics", title: "Metrics for Prometheus" },
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
  const system = useLoad(async (signal) => ({ ...(await api.get("/gglib/system", { signal })), since: performance.now() }), [useReconnections()]);
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
    ${value === null && system.isLoading && html`<${Loading} label="Loading" />`}
    <div class="system-grid">
      <${ChecksCard} />
      <div class="stack">${value && html`<${MachineCard} system=${value} /><${EngineCard} engine=${value.engine} />`}</div>
      <div class="stack">${value && html`<${ServerCard} system=${value} />`}
        <${LinksCard} needsKey=${value?.keys_required} /><${TabCard} /></div>
    </div>`;
}

/** The checks of `gglib doctor`. */
function ChecksCard() {
  const doctor = useLoad(async (signal) => (await api.get("/gglib/doctor", { signal })).checks, [useReconnections()]);
  const checks = /** @type {import("../../lib/api_types.js").MachineCheck[] | null} */ (doctor.value);
  const summary = checks && summaryOf(checks);
  return html`<section class="card system-wide" aria-labelledby="system-checks">
    <header><h2 id="system-checks">Checks</h2>
      ${summary && html`<span role="status"><${Badge} tone=${summary.tone}>${summary.text}<//></span>`}
      <${Button} small icon="retry" isBusy=${doctor.isLoading} onClick=${doctor.reload}>Check again<//>
    </header>
    <div class="card-body">
      <${ErrorNote} error=${connection.value === "lost" ? null : doctor.error} />
      ${checks ? html`<ul class="checks">${byUrgency(checks).map(({ name, verdict, message }) => {
        const { tone, icon, word } = VERDICTS[verdict];
        return html`<li key=${name} class=${tone}><span class="check-verdict"><${Icon} name=${icon} />${word}</span><b>${name}</b><${MessageText} text=${message} /></li>`;
      })}</ul>` : doctor.isLoading && html`<${Loading} label="Checking the machine" />`}
    </div>
  </section>`;
}

/** @returns {number} Changes when the server is reachable again: what was read before may be of another run. */
function useReconnections() {
  const [times, setTimes] = useState(0);
  const wasLost = useRef(false);
  const state = connection.value;
  useEffect(() => {
    if (state === "lost") wasLost.current = true;
    if (state !== "live" || !wasLost.current) return;
    wasLost.current = false;
    setTimes(times + 1);
  }, [state]);
  return times;
}

/** A message of the server, with a button for each command that it quotes. @param {{text: string}} props */
function MessageText({ text }) {
  return html`<span class="break">${messageParts(text).map((part) => (part.isCommand ? html`<${Command} text=${part.text} />` : part.text))}</span>`;
}

/** @param {{text: string}} props */
function Command({ text }) {
  return html`<span class="inline-command"><code>${text}</code><${Copy} text=${text} label=${`Copy: ${text}`} iconOnly /></span>`;
}

/** @param {{title: string, stack?: boolean, children?: unknown}} props `stack`: with space between its parts. */
function Card({ title, stack = false, children }) {
  return html`<section class="card"><header><h2>${title}</h2></header><div class=${`card-body ${stack ? "stack" : ""}`}>${children}</div></section>`;
}

/** @param {{system: System & {since: number}}} props `since` (`performance.now()`): when `system` was read. */
function ServerCard({ system }) {
  return html`<${Card} title="Server"><dl class="facts">
    <dt>Version</dt><dd>gglib ${system.version}</dd>
    <dt>Runs for</dt><dd><${Elapsed} seconds=${system.uptime_s} since=${system.since} /></dd>
    <dt>Started</dt><dd>${dateTime(system.started_at)}</dd>
    <dt>Address</dt><dd><code>${system.url}</code></dd>
    <dt>Access</dt><dd>${system.keys_required ? "a" : "no"} key is required</dd>
    <dt>Home</dt><dd><code>${system.home}</code></dd>
    <dt>Python</dt><dd>${system.python}</dd>
    <dt>Platform</dt><dd>${system.platform}</dd>
  </dl><//>`;
}

/** @param {{system: System}} props */
function MachineCard({ system: { processors, memory, disk } }) {
  return html`<${Card} title="Machine" stack>
    <dl class="facts"><dt>Processor</dt><dd>${processors.name ?? "unknown"}, ${counted(processors.count, "thread")}, ${counted(processors.usable, "core")} for gglib</dd>
      ${memory.gpus.length === 0 && html`<dt>GPU</dt><dd>none found: models run on the processor</dd>`}</dl>
    <${Space} title="Memory" total=${memory.total_bytes} free=${memory.available_bytes} word="available" />
    ${memory.gpus.map((gpu, index) => html`<${Space} key=${index} title=${gpu.name} total=${gpu.total_bytes} free=${gpu.free_bytes} />`)}
    <${Space} title="Disk of the home" total=${disk.total_bytes} free=${disk.free_bytes} />
  <//>`;
}

/** @param {{title: string, total: number | null, free: number | null, word?: string}} props */
function Space({ title, total, free, word = "free" }) {
  if (total === null || free === null) return html`<div class="space"><span>${title}</span><span class="quiet">unknown on this system</span></div>`;
  const used = Math.max(0, total - free);
  const label = `${bytes(used)} used`;
  const text = `${bytes(used)} of ${bytes(total)} used (${percent(used / (total || 1))}), ${bytes(free)} ${word}`;
  return html`<div class="space">
    <span>${title}</span><span class="quiet small">${text}</span>
    <${Bar} total=${total} parts=${[{ size: used, label }]} label=${`${title}: ${text}`} />
  </div>`;
}

/** @param {{engine: System["engine"]}} props */
function EngineCard({ engine: { name, version, path, devices } }) {
  return html`<${Card} title="Engine"><dl class="facts">
    <dt>Name</dt><dd>${name}</dd>
    <dt>Version</dt><dd>${version ?? "unknown"}</dd>
    ${path !== null && html`<dt>Path</dt><dd class="system-path"><code>${path}</code><${Copy} text=${path} label="Copy the path of the engine" iconOnly /></dd>`}
    <dt>Devices</dt><dd>${devices === null ? "unknown" : devices.length === 0 ? "the processor"
      : html`<ul class="bare-list">${devices.map((device) => html`<li key=${device}>${device}</li>`)}</ul>`}</dd>
  </dl><//>`;
}

/** @param {{needsKey?: boolean}} props Whether the server requires keys. */
function LinksCard({ needsKey = false }) {
  return html`<${Card} title="Documents" stack>
    <ul class="bare-list">${DOCUMENTS.map(({ path, title }) => html`<li key=${path}><a href=${path} target="_blank" rel="noreferrer">${title}</a> <code class="quiet">${path}</code></li>`)}</ul>
    ${needsKey && html`<p class="hint">They need a key, which a browser cannot send with a link: <code>curl -H "Authorization: Bearer KEY" ${location.origin}/metrics</code></p>`}
  <//>`;
}

/** Shown while this tab has a key. */
function TabCard() {
  const forget = () => {
    forgetKey();
    toast("This tab has no key any more.");
  };
  return key.value !== null && html`<${Card} title="This tab" stack>
    <p>A key was entered in this tab. It is kept until the tab is closed.</p>
    <div><${Button} icon="key" onClick=${forget}>Forget the key<//></div>
  <//>`;
}

/** The settings in use, where each comes from, and how it is changed. */
function SettingsTab() {
  const [search, setSearch] = useState("");
  const [isSetOnly, setSetOnly] = useState(false);
  const [reloaded, setReloaded] = useState(/** @type {Reloaded | null} */ (null));
  const { value, error, isLoading, reload } = useLoad((signal) => api.get("/gglib/settings", { signal }), []);
  const reloadFile = async () => {
    setReloaded(await api.post("/gglib/reload"));
    await reload();
  };
  const found = foundSettings(value?.settings ?? [], search, isSetOnly);
  return html`<section class="stack" aria-label="Settings">
    <div class="row">
      <${SearchInput} label="Search settings" value=${search} onInput=${setSearch} />
      <${Checkbox} label="Only those that are set" checked=${isSetOnly} onChange=${setSetOnly} />
      <span class="push"></span>
      <${Button} icon="retry" onClick=${reloadFile}>Reload config.toml<//>
    </div>
    <div aria-live="polite">${reloaded && html`<${ReloadResult} reloaded=${reloaded} />`}</div>
    <${ErrorNote} error=${error} onRetry=${reload} />
    ${value ? html`
      <p class="quiet small">${counted(found.length, "setting")}. File: <code>${value.path}</code></p>
      ${found.length === 0 ? html`<p class="quiet">No setting matches.</p>` : html`<div class="card"><table class="settings">
        <thead><tr>${headCells("Setting", "Value", "Source", "Change")}</tr></thead>
        <tbody>${found.map((setting) => html`<${SettingRow} key=${setting.setting} setting=${setting} />`)}</tbody>
      </table></div>`}` : isLoading && html`<${Loading} label="Loading" />`}
  </section>`;
}

/** @param {...string} titles */
function headCells(...titles) {
  return titles.map((title) => html`<th scope="col">${title}</th>`);
}

/** @param {{setting: Setting}} props */
function SettingRow({ setting }) {
  const { setting: name, shown, source, overrides, help } = setting;
  return html`<tr>
    <th scope="row"><code>${name}</code><p class="hint">${help}</p></th>
    <td>${shown === "" ? html`<span class="quiet">not set</span>` : html`<code>${shown}</code>`}</td>
    <td>${source === "default" ? html`<span class="quiet">default</span>` : html`<${Badge} tone="accent">${source}<//>`}
      ${overrides.length > 0 && html`<p class="hint">${sourceText(setting)}</p>`}</td>
    <td><${Command} text=${changeCommand(setting)} /><p class="hint">${changeNote(setting)}</p></td>
  </tr>`;
}

/** @param {{reloaded: Reloaded}} props */
function ReloadResult({ reloaded }) {
  const { settings, warnings } = reloaded;
  const needsCare = warnings.length > 0 || settings.some((change) => !change.applied);
  return html`<${Note} tone=${needsCare ? "warn" : "ok"}>
    <p><b>Reloaded.</b> ${reloadText(reloaded)}</p>
    <ul>${settings.map((change) => html`<li key=${change.setting}><code>${change.setting}</code>: ${change.old ?? "…"} → ${change.new ?? "…"}${!change.applied && ", needs a restart"}</li>`)}
      ${warnings.map((warning) => html`<li key=${warning}><${MessageText} text=${warning} /></li>`)}</ul>
  <//>`;
}

/** The access keys: their rights and limits, and what is used of these. */
function KeysTab() {
  const { value, error, isLoading, reload } = useLoad(async (signal) => /** @type {Key[]} */ ((await api.get("/gglib/keys", { signal })).keys), []);
  if (value?.length === 0) {
    return html`<${Empty} icon="key" title="No access key is required"><p>Once there is a key, every request needs one. Make the first with:</p>
      <${CopyText} text="gglib key new NAME --admin" label="Command that makes a key" /><//>`;
  }
  return html`<section class="stack" aria-label="Access keys">
    <${ErrorNote} error=${error} onRetry=${reload} />
    ${value ? html`
      <div class="row"><p class="quiet">Requests and tokens of each key: <a href=${link("usage", "", { by: "key" })}>Usage</a></p><span class="push"></span><${Button} small icon="retry" onClick=${reload}>Read again<//></div>
      <div class="card table-scroll"><table>
        <thead><tr>${headCells("Key", "Models", "Priority", "Limits, and used now")}</tr></thead>
        <tbody>${value.map((entry) => html`<${KeyRow} key=${entry.name} value=${entry} />`)}</tbody>
      </table></div>` : isLoading && html`<${Loading} label="Loading" />`}
  </section>`;
}

/** @param {{value: Key}} props */
function KeyRow({ value }) {
  const limits = limitsOf(value);
  return html`<tr>
    <th scope="row"><span class="row"><code>${value.name}</code>${value.admin && html`<${Badge} tone="accent">admin<//>`}</span></th>
    <td class="break">${value.models.join(", ")}</td>
    <td>${value.priority ?? html`<span class="quiet">as the model</span>`}</td>
    <td>${limits.length === 0 ? html`<span class="quiet">no limits</span>` : html`<ul class="bare-list key-limits">${limits.map(({ name, limit, used }) => html`<li key=${name}>
      <span class="nowrap">${used !== null && `${count(used)} of `}${count(limit)} ${name}</span>
      <${Bar} total=${limit} parts=${[{ size: used ?? 0, label: `${count(used)} used` }]} label=${`${count(used)} of ${count(limit)} ${name} used`} /></li>`)}</ul>`}</td>
  </tr>`;
}
