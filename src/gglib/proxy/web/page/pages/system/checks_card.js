/** The checks of `gglib doctor`. */

import { api, Badge, Button, connection, ErrorNote, html, Icon, Loading, useLoad } from "../../ui/kit.js";
import { VERDICTS, byUrgency, summaryOf } from "./checks.js";
import { MessageText } from "./message_text.js";
import { useReconnections } from "./reconnections.js";

export function ChecksCard() {
  const doctor = useLoad(async (signal) => (await api.get("/gglib/doctor", { signal })).checks, [useReconnections()]);
  const checks = doctor.value;
  const summary = checks === null ? null : summaryOf(checks);
  return html`<section class="card system-wide" aria-labelledby="system-checks">
    <header><h2 id="system-checks">Checks</h2>
      ${summary ? html`<span role="status"><${Badge} tone=${summary.tone}>${summary.text}<//></span>` : null}
      <${Button} small icon="retry" isBusy=${doctor.isLoading} onClick=${doctor.reload}>Check again<//>
    </header>
    <div class="card-body">
      <${ErrorNote} error=${connection.value === "lost" ? null : doctor.error} />
      ${checks === null ? doctor.isLoading ? html`<${Loading} label="Checking the machine" />` : null
        : html`<ul class="checks">${byUrgency(checks).map((check) => html`<${CheckRow} key=${check.name} check=${check} />`)}</ul>`}
    </div>
  </section>`;
}

/** @param {{check: import("../../lib/api_types.js").MachineCheck}} props */
function CheckRow({ check }) {
  const verdict = VERDICTS[check.verdict];
  return html`<li class=${verdict.tone}>
    <span class="check-verdict"><${Icon} name=${verdict.icon} />${verdict.word}</span>
    <b>${check.name}</b>
    <${MessageText} text=${check.message} />
  </li>`;
}
