/** Keeps the keyboard's focus when the control that has it goes away. */

import { useLayoutEffect, useRef } from "../lib/html.js";

/**
 * If the focus was inside of the element, and what had it is gone after a change, it moves to another control there.
 * @param {string} selector The control. @returns {{current: HTMLElement | null}} The ref of the element.
 */
export function useKeptFocus(selector) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const hadFocus = place.current?.contains(document.activeElement) ?? false;
  useLayoutEffect(() => {
    if (hadFocus && !place.current?.contains(document.activeElement)) {
      /** @type {HTMLElement | null | undefined} */ (place.current?.querySelector(selector))?.focus({ preventScroll: true });
    }
  });
  return place;
}
