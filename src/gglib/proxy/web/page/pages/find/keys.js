/** Moves the focus between the buttons that pull a model. */

/**
 * @param {HTMLElement | null} root @param {Element | null} current The button with the focus; null: before the first.
 * @param {1 | -1} step
 */
export function focusNext(root, current, step) {
  const buttons = /** @type {HTMLElement[]} */ ([...(root?.querySelectorAll("[data-pull]:not(:disabled)") ?? [])]);
  const index = current === null ? -1 : buttons.indexOf(/** @type {HTMLElement} */ (current));
  const next = buttons[index + step];
  if (next) next.focus();
  else if (step < 0) /** @type {HTMLElement | null | undefined} */ (root?.querySelector("input"))?.focus();
}
