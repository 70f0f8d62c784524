/** Models: the catalogue, and one model in detail. */

import { Button, go, html, link, Tabs, useState } from "../../ui/kit.js";
import { AddDialog } from "./add_dialog.js";
import { AliasesTab } from "./aliases.js";
import { useCatalogue } from "./catalogue.js";
import { ModelDetail } from "./detail.js";
import { ModelList } from "./list.js";
import { ProfilesTab } from "./profiles.js";
import { UpdatesTab } from "./updates.js";

const TABS = [
  { id: "catalogue", label: "Catalogue" },
  { id: "profiles", label: "Profiles" },
  { id: "aliases", label: "Aliases" },
  { id: "updates", label: "Updates" },
];

/** @param {{rest: string, query: URLSearchParams}} props `rest`: the name of a model, or "". */
export function Page({ rest, query }) {
  return rest ? html`<${ModelDetail} key=${rest} name=${rest} />` : html`<${Catalogue} query=${query} />`;
}

/** @param {{query: URLSearchParams}} props */
function Catalogue({ query }) {
  const catalogue = useCatalogue();
  const [isAdding, setAdding] = useState(false);
  const tab = TABS.some(({ id }) => id === query.get("tab")) ? String(query.get("tab")) : "catalogue";
  const names = (catalogue.rows ?? []).map((row) => row.model.name);
  return html`
    <div class="page-head">
      <h1>Models</h1>
      <${Button} icon="add" onClick=${() => setAdding(true)}>Add a file<//>
      <a class="button primary" href=${link("find")}>Find models</a>
    </div>
    <div class="stack">
      <${Tabs} label="Models" tabs=${TABS} current=${tab} onSelect=${(/** @type {string} */ id) => go("models", "", { tab: id === "catalogue" ? null : id })} />
      <div role="tabpanel" aria-label=${TABS.find(({ id }) => id === tab)?.label}>
        ${tab === "catalogue" ? html`<${ModelList} catalogue=${catalogue} query=${query} onAdd=${() => setAdding(true)} />` : null}
        ${tab === "profiles" ? html`<${ProfilesTab} names=${names} />` : null}
        ${tab === "aliases" ? html`<${AliasesTab} names=${names} />` : null}
        ${tab === "updates" ? html`<${UpdatesTab} />` : null}
      </div>
    </div>
    ${isAdding ? html`<${AddDialog} onClose=${() => setAdding(false)} />` : null}`;
}
