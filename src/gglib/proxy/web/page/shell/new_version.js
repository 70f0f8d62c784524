/** Says that the server was replaced by another version, whose page may differ. */

import { html, useEffect, useState } from "../lib/html.js";
import { serverVersion } from "../state/live.js";
import { Button } from "../ui/controls.js";
import { Note } from "../ui/feedback.js";

export function NewVersionNote() {
  const [first, setFirst] = useState(/** @type {string | null} */ (null));
  const version = serverVersion.value;
  useEffect(() => {
    if (first === null) setFirst(version);
  }, [version]);
  if (first === null || version === null || version === first) return null;
  return html`<${Note} tone="accent" icon="retry">The server is version ${version} now; this page is of ${first}.
    <${Button} small onClick=${() => location.reload()}>Load the new page<//><//>`;
}
