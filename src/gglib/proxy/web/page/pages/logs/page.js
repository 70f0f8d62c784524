/** Logs: that of gglib, and those of the engines, as they are written. */

import { api, Badge, Button, bytes, Checkbox, count, counted, Empty, ErrorNote, go, html, Loading, Menu, SearchInput, Select, status, useEffect, useLoad, useSettled, useState } from "../../ui/kit.js";
import { downloadLog, fileName, saveText } from "./download.js";
import { LogView } from "./log_view.js";
import { LEVELS, rowText } from "./rows.js";
import { useLog } from "./use_log.js";

const DEFAULT_LOG = "gglib";
const SETTLED_MS = 150;

/** @param {{rest: string}} props `rest`: the name of a log. */
export function Page({ rest }) {
  const name = rest || DEFAULT_LOG;
  // With the state: the log of an engine begins after its model began to load.
  const models = (status.value?.residents ?? []).map(({ model_name: model, state }) => `${model} ${state}`).sort().join("\n");
  const logs = useLoad(async (signal) => (await api.get("/gglib/logs", { signal })).logs, [models]);
  return html`<div class="page-head"><h1>Logs</h1>
      <${LogSelect} logs=${logs.value ?? []} name=${name} /></div>
    <${ErrorNote} error=${logs.error} onRetry=${logs.reload} />
    <${Log} key=${name} name=${name} />`;
}

/** @param {{logs: readonly import("../../lib/api_types.js").LogFile[], name: string}} props */
function LogSelect({ logs, name }) {
  const options = logs.map((log) => ({ value: log.name, label: `${titleOf(log.name)}, ${bytes(log.size_bytes)}` }));
  if (!logs.some((log) => log.name === name)) options.unshift({ value: name, label: titleOf(name) });
  return html`<div class="log-select"><${Select} aria-label="Log" value=${name} options=${options} onChange=${(/** @type {string} */ chosen) => go("logs", chosen)} /></div>`;
}

/** @param {string} name */
function titleOf(name) {
  return name.startsWith("engine:") ? `Engine of ${name.slice("engine:".length)}` : name;
}

/** @param {{name: string}} props */
function Log({ name }) {
  const [search, setSearch] = useState("");
  const [level, setLevel] = useState("0");
  const [isWrapped, setWrapped] = useState(true);
  const [isPaused, setPaused] = useState(false);
  const { buffer, version, state, error, changed, retry } = useLog(name);
  const wanted = useSettled(search, SETTLED_MS);
  useEffect(() => {
    buffer.filter(wanted, Number(level));
    changed();
  }, [buffer, wanted, level]);
  const pause = () => {
    if (isPaused) buffer.release();
    else buffer.hold();
    setPaused(!isPaused);
    changed();
  };
  if (error !== null && buffer.rows.length === 0) return html`<${ErrorNote} error=${error} onRetry=${retry} />`;
  const isFiltered = wanted !== "" || level !== "0";
  return html`<div class="log-page">
    <div class="log-tools">
      <${SearchInput} label="Filter lines" value=${search} onInput=${setSearch} />
      ${buffer.hasLevels ? html`<${Select} aria-label="Lowest level" class="log-level-select" value=${level} options=${LEVELS} onChange=${setLevel} />` : null}
      <${Checkbox} label="Wrap lines" checked=${isWrapped} onChange=${setWrapped} />
    </div>
    <${ErrorNote} error=${error} onRetry=${retry} />
    ${state === "connecting" && buffer.rows.length === 0
      ? html`<${Loading} label="Reading the log" />`
      : buffer.shown.length === 0
        ? html`<${Empty} icon="logs" title=${isFiltered && buffer.rows.length > 0 ? "No line matches" : "This log is empty"}><p>${isFiltered ? "New lines that match appear here." : "Lines appear here as they are written."}</p><//>`
        : html`<${LogView} rows=${buffer.shown} version=${version} search=${wanted} isWrapped=${isWrapped} label=${`Lines of the log ${name}`} />`}
    <div class="log-state row small quiet">
      ${isPaused ? html`<${Badge} tone="warn">Paused<//>` : state === "live" ? html`<${Badge} tone="ok">Following<//>` : html`<${Badge} tone="busy">${state === "lost" ? "Connecting again" : "Connecting"}<//>`}
      ${isPaused && buffer.held > 0 ? html`<span>${counted(buffer.held, "new line")} held back</span>` : null}
      <span>${isFiltered ? `${count(buffer.shown.length)} of ` : ""}${counted(buffer.rows.length, "line")}</span>
      <span class="push"></span>
      <${Button} small icon=${isPaused ? "play" : "pause"} onClick=${pause}>${isPaused ? "Continue" : "Pause"}<//>
      <${Menu} label="Save as text" icon="load" items=${[
        { label: "Lines shown here", icon: "load", onClick: () => saveText(fileName(name), buffer.shown.map(rowText)) },
        { label: "Last 5,000 lines of the log", icon: "load", onClick: () => downloadLog(name) },
      ]} />
    </div>
  </div>`;
}
