/** The recorded bodies of a request: as text only. */

import { Button, bytes, Copy, count, html, Tabs, useMemo, useState } from "../../ui/kit.js";
import { folded, readable } from "./body_text.js";

const TABS = [{ id: "request", label: "Request" }, { id: "response", label: "Response" }];

/** @param {{bodies: import("../../lib/api_types.js").BodyTexts}} props */
export function Bodies({ bodies }) {
  const [current, setCurrent] = useState("request");
  const isRequest = current === "request";
  const text = isRequest ? bodies.request : bodies.response;
  return html`<div class="bodies">
    <${Tabs} tabs=${TABS} current=${current} onSelect=${setCurrent} label="Recorded bodies" />
    <div role="tabpanel" aria-label=${isRequest ? "Request" : "Response"}>
      <${BodyText} key=${current} text=${text} isCut=${isRequest ? bodies.is_request_cut : bodies.is_response_cut} />
    </div>
  </div>`;
}

/** @param {{text: string, isCut: boolean}} props */
function BodyText({ text, isCut }) {
  const [isOpen, setOpen] = useState(false);
  const whole = useMemo(() => readable(text), [text]);
  const beginning = useMemo(() => folded(whole), [whole]);
  if (text === "") return html`<p class="hint">Empty${isCut ? ": it was too long to be recorded" : ""}.</p>`;
  const isFolded = beginning.isFolded && !isOpen;
  return html`<pre class="body-text" tabindex="0" role="region" aria-label="Recorded text">${isFolded ? beginning.text : whole}</pre>
    <div class="row">
      <span class="hint">${bytes(new TextEncoder().encode(text).length)}${isCut ? ", recorded in part: it was longer than the limit" : ""}</span>
      <span class="push"></span>
      ${beginning.isFolded ? html`<${Button} small kind="ghost" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>${isOpen ? "Show less" : `Show all ${count(beginning.lines)} lines`}<//>` : null}
      <${Copy} text=${text} />
    </div>`;
}
