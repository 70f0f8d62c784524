/** Pulls a model; shows its download, or where it is once it is in the catalogue. */

import { Button, html, Icon, link, percent, toast, useState } from "../../ui/kit.js";
import { downloads, startDownload } from "../../state/downloads.js";
import { isActive, shareOf } from "../../state/downloads_list.js";
import { listedTarget } from "./target.js";
import { useKeptFocus } from "../../ui/focus.js";

/**
 * @typedef {import("../../lib/api_types.js").Download} Download
 * @typedef {import("../../lib/api_types.js").Model} Model
 */

/**
 * @param {{target: string, model?: Model | null, models: readonly Model[], kind?: "primary" | "plain"}} props
 * `model`: the one of the catalogue with these files; `models`: the catalogue. The focus stays here through all states.
 */
export function PullButton({ target, model = null, models, kind = "plain" }) {
  const place = useKeptFocus("[data-pull]");
  const [isStarting, setStarting] = useState(false);
  const listed = listedTarget(target);
  const download = downloads.value.find((entry) => entry.target === listed);
  const pulled = download?.state === "done" ? models.find((entry) => entry.name === download.model_name) : null;
  const name = (model ?? pulled)?.name;
  const isBusy = isStarting || (download !== undefined && isActive(download));
  const press = () => {
    if (isBusy) return;
    setStarting(true);
    startDownload(target)
      .catch((error) => toast(error.message, "error"))
      .finally(() => setStarting(false));
  };
  const verb = download?.state === "paused" ? "Resume" : "Pull";
  const text = isBusy ? progressText(download) : verb;
  return html`<span ref=${place}>${name
    ? html`<a class="in-catalogue" data-pull href=${link("models", name)}><${Icon} name="check" />In the catalogue</a>`
    : html`<${Button} small icon=${isBusy ? undefined : "load"} kind=${isBusy ? "plain" : kind} data-pull aria-disabled=${isBusy ? "true" : undefined} aria-label=${isBusy ? `${listed}: ${text}` : `${verb} ${listed}`} onClick=${press}>${text}<//>`}</span>`;
}

/** @param {Download | undefined} download */
function progressText(download) {
  if (download === undefined || !isActive(download)) return "Starting";
  const share = shareOf(download);
  return download.state === "queued" ? "Queued" : share === null ? "Working" : percent(share);
}
