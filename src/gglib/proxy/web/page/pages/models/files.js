/** The files of a model, and their verification. */

import { Badge, Button, bytes, counted, ErrorNote, html, Progress, streamEvents, useEffect, useRef, useState } from "../../ui/kit.js";
import { modelPath } from "./actions.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").FileCheck} FileCheck
 * @typedef {{file: string, done_bytes: number, total_bytes: number}} VerifyProgress
 * @typedef {{progress?: VerifyProgress | null, checks?: FileCheck[], error?: Error}} Verification
 */

const VERDICTS = /** @type {Record<string, {tone: string, text: string}>} */ ({
  good: { tone: "ok", text: "unchanged" },
  unknown: { tone: "quiet", text: "no hash to compare" },
  differs: { tone: "bad", text: "differs" },
  gone: { tone: "bad", text: "missing" },
  unreadable: { tone: "bad", text: "cannot be read" },
});

/** @param {{model: Model}} props */
export function FilesCard({ model }) {
  const [state, start, stop] = useVerification(model.name);
  const checks = new Map((state?.checks ?? []).map((check) => [check.path, check]));
  const paths = [...(model.paths ?? []), ...(model.projector ? [model.projector] : [])];
  const isRunning = state !== null && !state.checks && !state.error;
  return html`<section class="card">
    <header><h2>Files</h2>
      ${isRunning ? html`<${Button} small icon="stop" onClick=${stop}>Stop<//>` : html`<${Button} small icon="check" onClick=${start}>Verify<//>`}</header>
    <div class="card-body stack-small">
      ${isRunning ? html`<${VerifyState} progress=${state.progress ?? null} />` : null}
      <${ErrorNote} error=${state?.error} onRetry=${start} />
      <ul class="file-list">${paths.map((path, index) => html`<li key=${path}>
        <code class="break">${path}</code>
        <div class="small quiet break">${model.hashes[index] ? html`SHA-256 <code>${model.hashes[index]}</code>` : path === model.projector ? "projector for images" : "no hash is stored"}</div>
        ${checks.has(path) ? html`<${CheckText} check=${/** @type {FileCheck} */ (checks.get(path))} />` : null}
      </li>`)}</ul>
      <p class="visually-hidden" role="status">${state?.checks ? resultText(state.checks) : ""}</p>
      <p class="small quiet">${model.is_downloaded ? "Downloaded by gglib, which may delete them." : "Added by you: gglib never changes or deletes them."}</p>
    </div>
  </section>`;
}

/** @param {{progress: VerifyProgress | null}} props */
function VerifyState({ progress }) {
  if (progress === null) return html`<${Progress} value=${null} label="Waiting for the verification" />`;
  const { file, done_bytes: done, total_bytes: total } = progress;
  return html`<div><p class="small break">Reading ${file}: ${bytes(done)} of ${bytes(total)}</p><${Progress} value=${total > 0 ? done / total : null} label=${`Verifying ${file}`} /></div>`;
}

/** @param {{check: FileCheck}} props */
function CheckText({ check }) {
  const { tone, text } = VERDICTS[check.verdict] ?? { tone: "quiet", text: check.verdict };
  return html`<div class="row small"><${Badge} tone=${tone}>${text}<//>
    ${check.verdict === "differs" ? html`<span class="break">found ${check.found_sha256}${check.is_replaced ? ": the file was replaced" : ""}. Pull the model again.</span>` : null}
    ${check.reason ? html`<span class="break">${check.reason}</span>` : null}</div>`;
}

/** @param {FileCheck[]} checks */
function resultText(checks) {
  const bad = checks.filter((check) => !["good", "unknown"].includes(check.verdict)).length;
  return bad === 0 ? `${counted(checks.length, "file")} verified.` : `${counted(bad, "file")} of ${checks.length} failed the verification.`;
}

/** @param {string} name @returns {[Verification | null, () => void, () => void]} The state, and how to start and stop. */
function useVerification(name) {
  const [state, setState] = useState(/** @type {Verification | null} */ (null));
  const controller = useRef(/** @type {AbortController | null} */ (null));
  const stop = () => {
    controller.current?.abort();
    setState(null);
  };
  useEffect(() => () => controller.current?.abort(), []);
  const start = async () => {
    const current = new AbortController();
    controller.current = current;
    setState({ progress: null });
    try {
      for await (const { event, data } of streamEvents(`${modelPath(name)}/verify`, { method: "POST", signal: current.signal })) {
        const value = JSON.parse(data);
        if (value.error) throw new Error(value.error.message);
        if (event === "progress") setState({ progress: value });
        else if (event === "result") return setState({ checks: value.checks });
      }
      throw new Error("The verification ended early: start it again.");
    } catch (error) {
      if (!current.signal.aborted) setState({ error: /** @type {Error} */ (error) });
    }
    return undefined;
  };
  return [state, () => void start(), stop];
}
