/** Says that the server was replaced by another version, whose page may differ. */

import { Button, html, Note, serverVersion, useEffect, useState } from "../ui/kit.js";

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
