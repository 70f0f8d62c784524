/** The server, its machine and its engine. */

import { Bar, bytes, Copy, counted, dateTime, Elapsed, html, percent } from "../../ui/kit.js";

/** @typedef {import("../../lib/api_types.js").System} System */

/** @param {{system: System, since: number}} props `since` (`performance.now()`): when `system` was read. */
export function ServerCard({ system, since }) {
  return html`<section class="card"><header><h2>Server</h2></header><div class="card-body">
    <dl class="facts">
      <dt>Version</dt><dd>gglib ${system.version}</dd>
      <dt>Runs for</dt><dd><${Elapsed} seconds=${system.uptime_s} since=${since} /></dd>
      <dt>Started</dt><dd>${dateTime(system.started_at)}</dd>
      <dt>Address</dt><dd><code>${system.url}</code></dd>
      <dt>Access</dt><dd>${system.keys_required ? "a key is required" : "no key is required"}</dd>
      <dt>Home</dt><dd><code>${system.home}</code></dd>
      <dt>Python</dt><dd>${system.python}</dd>
      <dt>Platform</dt><dd>${system.platform}</dd>
    </dl>
  </div></section>`;
}

/** @param {{system: System}} props */
export function MachineCard({ system }) {
  const { processors, memory, disk } = system;
  return html`<section class="card"><header><h2>Machine</h2></header><div class="card-body stack">
    <dl class="facts"><dt>Processor</dt><dd>${processors.name ?? "unknown"}, ${counted(processors.count, "thread")}, ${counted(processors.usable, "core")} for gglib</dd>
      ${memory.gpus.length === 0 ? html`<dt>GPU</dt><dd>none found: models run on the processor</dd>` : null}</dl>
    <${Space} title="Memory" total=${memory.total_bytes} free=${memory.available_bytes} word="available" />
    ${memory.gpus.map((gpu, index) => html`<${Space} key=${index} title=${gpu.name} total=${gpu.total_bytes} free=${gpu.free_bytes} word="free" />`)}
    <${Space} title="Disk of the home" total=${disk.total_bytes} free=${disk.free_bytes} word="free" />
  </div></section>`;
}

/** @param {{title: string, total: number | null, free: number | null, word: string}} props */
function Space({ title, total, free, word }) {
  if (total === null || free === null) return html`<div class="space"><span>${title}</span><span class="quiet">unknown on this system</span></div>`;
  const used = Math.max(0, total - free);
  const text = `${bytes(used)} of ${bytes(total)} used (${percent(used / (total || 1))}), ${bytes(free)} ${word}`;
  return html`<div class="space">
    <span>${title}</span><span class="quiet small">${text}</span>
    <${Bar} total=${total} parts=${[{ size: used, label: `${bytes(used)} used` }]} label=${`${title}: ${text}`} />
  </div>`;
}

/** @param {{devices: System["engine"]["devices"]}} props */
function Devices({ devices }) {
  if (devices === null) return "unknown";
  if (devices.length === 0) return "the processor";
  return html`<ul class="bare-list">${devices.map((device) => html`<li key=${device}>${device}</li>`)}</ul>`;
}

/** @param {{engine: System["engine"]}} props */
export function EngineCard({ engine }) {
  return html`<section class="card"><header><h2>Engine</h2></header><div class="card-body">
    <dl class="facts">
      <dt>Name</dt><dd>${engine.name}</dd>
      <dt>Version</dt><dd>${engine.version ?? "unknown"}</dd>
      ${engine.path === null ? null : html`<dt>Path</dt><dd class="system-path"><code>${engine.path}</code><${Copy} text=${engine.path} label="Copy the path of the engine" iconOnly /></dd>`}
      <dt>Devices</dt><dd><${Devices} devices=${engine.devices} /></dd>
    </dl>
  </div></section>`;
}
