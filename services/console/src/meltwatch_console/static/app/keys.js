/** Single keys. They can be switched off, and never work while somebody writes. */

import { PLACES } from "./nav.js";

const OFF = "meltwatch-no-keys";

/** @returns {boolean} */
export function keysAreOff() {
  return localStorage.getItem(OFF) !== null;
}

/** @param {boolean} off */
export function switchKeys(off) {
  if (off) localStorage.setItem(OFF, "1");
  else localStorage.removeItem(OFF);
}

/** @param {(key: string) => boolean} take  returns whether the key meant something */
export function listenToKeys(take) {
  let goes = false;
  addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const writes = target.matches("input, textarea, select") || document.querySelector("dialog[open]");
    if (writes || keysAreOff() || event.ctrlKey || event.altKey || event.metaKey) return;
    if (goes && event.key in PLACES) {
      location.hash = PLACES[event.key].hash;
      event.preventDefault();
    } else if (take(event.key)) event.preventDefault();
    goes = event.key === "g";
  });
}
