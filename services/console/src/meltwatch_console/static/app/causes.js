/** What may lie behind an event: a list of ours, which labels name by these words. */

import { h } from "./dom.js";
import { text } from "./text.js";

const CAUSES = ["splash", "reflection", "steam", "electrode", "charging", "camera", "meter", "other"];

/** @param {string[]} own  what the alarm point names */
export function causeOptions(own) {
  return [
    h("option", { value: "" }, text("no_cause")),
    ...own.map((each) => h("option", { value: each }, each)),
    ...CAUSES.map((each) => h("option", { value: each }, text(`lay_${each}`))),
  ];
}

/** A cause of our list, or as somebody wrote it. @param {string} cause */
export function causeWord(cause) {
  return CAUSES.includes(cause) ? text(`lay_${cause}`) : cause;
}
