/** Asks for the access key of a server that requires one. */

import { Button, Dialog, enterKey, html, isKey, isKeyRefused, key, TextField, useState } from "../ui/kit.js";

export function KeyDialog() {
  const [text, setText] = useState("");
  const entered = text.trim();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (isKey(entered)) enterKey(entered);
  };
  const error = entered !== "" && !isKey(entered) ? "A key has no spaces and no characters outside ASCII, such as a long dash: copy it again."
    : isKeyRefused.value && text === "" ? "The server refused this key." : null;
  return html`<${Dialog} title="This server needs a key" canClose=${false} onClose=${() => {}}>
    <form onSubmit=${submit}>
      <p>Enter a key with admin rights. It is kept in this tab only, until the tab is closed.</p>
      <${TextField} label="Access key" type="password" value=${text} onInput=${setText} error=${error} autocomplete="off" autofocus spellcheck="false" />
      <p class="hint">On the server's machine, <code>gglib key new NAME --admin</code> makes one.</p>
      <div class="form-actions"><${Button} kind="primary" type="submit" disabled=${!isKey(entered)}>Use this key<//></div>
    </form>
  <//>`;
}

/** Whether a key is in use, for views that offer to forget it. */
export const hasKey = () => key.value !== null;
