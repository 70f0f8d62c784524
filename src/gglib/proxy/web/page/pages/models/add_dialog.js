/** Adds a GGUF file of the server's machine to the catalogue. */

import { api, Button, Dialog, ErrorNote, go, html, TextField, toast, useEffect, useRef, useState } from "../../ui/kit.js";
import { namesIn } from "./settings_form.js";

const FORM_ID = "add-form";

/** @param {{onClose: () => void}} props */
export function AddDialog({ onClose }) {
  const [form, setForm] = useState({ path: "", name: "", aliases: "" });
  const [error, setError] = useState(/** @type {import("../../lib/api.js").ApiError | null} */ (null));
  const [isAdding, setAdding] = useState(false);
  const isOpen = useRef(true);
  useEffect(() => () => { isOpen.current = false; }, []);
  const field = (/** @type {"path" | "name" | "aliases"} */ name) => ({
    value: form[name],
    error: error?.param === name ? error.message : null,
    onInput: (/** @type {string} */ value) => setForm({ ...form, [name]: value }),
    spellcheck: "false",
    autocomplete: "off",
  });
  const add = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setError(null);
    setAdding(true);
    const aliases = namesIn(form.aliases);
    const body = { path: form.path.trim(), name: form.name.trim() || null, aliases: aliases.length > 0 ? aliases : null };
    try {
      const model = await api.post("/gglib/models", body);
      toast(`Added ${model.name}.`, "success");
      if (!isOpen.current) return;
      onClose();
      go("models", model.name);
    } catch (failure) {
      setError(/** @type {import("../../lib/api.js").ApiError} */ (failure));
      setAdding(false);
    }
  };
  const isShownAtField = error?.param !== null && error?.param !== undefined && error.param in form;
  return html`<${Dialog} title="Add a file" onClose=${onClose} actions=${html`
      <${Button} onClick=${onClose}>Cancel<//>
      <${Button} kind="primary" type="submit" form=${FORM_ID} isBusy=${isAdding} disabled=${!form.path.trim()}>Add<//>`}>
    <form id=${FORM_ID} class="form" onSubmit=${add} noValidate>
      ${isShownAtField ? null : html`<${ErrorNote} error=${error} />`}
      <${TextField} label="Path" ...${field("path")} placeholder="/home/me/models/model.gguf" autofocus hint="A GGUF file, or any of its shards, on the server's machine. It stays where it is." />
      <${TextField} label="Name" ...${field("name")} placeholder="from the file name" />
      <${TextField} label="Aliases" ...${field("aliases")} hint="Further names, with commas between them." />
    </form>
  <//>`;
}
