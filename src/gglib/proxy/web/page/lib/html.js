/** Preact with htm templates, hooks and signals: everything that components import. */

import { Fragment, h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

/** Template tag for components: html`<p class="x">${text}</p>`. Text and attributes are escaped by Preact. */
export const html = htm.bind(h);

export { Fragment, render };
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
export { batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect } from "../vendor/signals.js";
