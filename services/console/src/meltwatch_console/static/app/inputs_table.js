/** What each furnace's inputs are worth: a table that sorts. */

import { ask } from "./ask.js";
import { h, mark, say } from "./dom.js";
import { span, text } from "./text.js";
import { shortName } from "./wording.js";

const LEAST_VIDEO = 0.9;
const LEAST_CURRENT = 0.95;
const OLD_S = 5;
const SKEW_S = 1;

/**
 * One column: how it is worked out of a furnace, shown, and when it is off.
 * @typedef {{key: string, of: (row: any, nowMs: number) => any, shown: (value: any) => string,
 *   isOff: (value: any) => boolean}} Column
 */

/** @type {Column[]} */
const COLUMNS = [
  { key: "furnace", of: (row) => row.id, shown: shortName, isOff: () => false },
  { key: "status", of: (row) => row.status, shown: (word) => text(`status_${word}`), isOff: (word) => word !== "scored" },
  { key: "video_coverage", of: (row) => row.video_coverage, shown: percent, isOff: (share) => share < LEAST_VIDEO },
  { key: "video_age", of: (row, now) => age(row.video_ms, now), shown: seconds, isOff: (s) => s === null || Math.floor(s) > OLD_S },
  { key: "current_coverage", of: (row) => row.current_coverage, shown: percent, isOff: (share) => share < LEAST_CURRENT },
  { key: "current_age", of: (row, now) => age(row.current_ms, now), shown: seconds, isOff: (s) => s === null || Math.floor(s) > OLD_S },
  { key: "skew", of: (row) => row.skew_s, shown: (s) => (s === null ? "–" : `${s.toFixed(2)} s`), isOff: (s) => s !== null && Math.abs(s) > SKEW_S },
  { key: "score_age", of: (row, now) => age(row.end_ms, now), shown: seconds, isOff: (s) => s === null || s > 15 },
];

/** @param {HTMLElement} root @param {import("./state.js").Store} store */
export function openInputs(root, store) {
  let by = 0;
  let isDown = false;
  /** @type {any[]} */
  let rows = [];
  /** @type {Map<string, HTMLTableRowElement>} */
  const nodes = new Map();
  const heads = COLUMNS.map(({ key }, at) =>
    h("th", { scope: "col" }, h("button", { class: "plain", onclick: () => sortBy(at) }, text(`col_${key}`))));
  const body = h("tbody", {});
  const none = h("p", { class: "q none" });
  root.append(h("h3", {}, text("furnace_inputs")),
    h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": text("furnace_inputs") },
      h("table", {}, h("thead", {}, h("tr", {}, ...heads)), body)), none);

  /** @param {number} at */
  function sortBy(at) {
    isDown = by === at ? !isDown : at !== 0;
    by = at;
    show();
  }

  function show() {
    const now = store.now();
    const { of } = COLUMNS[by];
    const order = (/** @type {any} */ a, /** @type {any} */ b) => compared(of(a, now), of(b, now)) * (isDown ? -1 : 1) || a.id.localeCompare(b.id);
    heads.forEach((head, at) => mark(head, "aria-sort", at === by ? (isDown ? "descending" : "ascending") : null));
    const sorted = [...rows].sort(order).map((row) => filled(row, now));
    if (sorted.some((node, at) => body.children[at] !== node) || body.childElementCount !== sorted.length) body.replaceChildren(...sorted);
    say(none, rows.length ? "" : text("no_score"));
  }

  /** @param {any} row @param {number} now */
  function filled(row, now) {
    const known = nodes.get(row.id) ?? /** @type {HTMLTableRowElement} */ (h("tr", {},
      h("th", { scope: "row" }, h("a", { href: `#/f/${row.id}`, title: row.id })), ...COLUMNS.slice(1).map(() => h("td", {}))));
    nodes.set(row.id, known);
    COLUMNS.forEach(({ of, shown, isOff }, at) => {
      const value = of(row, now);
      const cell = /** @type {HTMLElement} */ (known.children[at]);
      say(at === 0 ? /** @type {Element} */ (cell.firstElementChild) : cell, shown(value));
      mark(cell, "class", isOff(value) ? "lacks" : null);
    });
    return known;
  }

  return {
    async load() {
      rows = (await ask("system/furnaces")).furnaces;
      show();
    },
  };
}

/** Nothing known comes first: it wants a look. @param {any} a @param {any} b */
function compared(a, b) {
  if (a === null || b === null) return Number(b === null) - Number(a === null);
  return typeof a === "string" ? a.localeCompare(b) : a - b;
}

/** @param {number|null} ms @param {number} now */
function age(ms, now) {
  return ms === null ? null : Math.max(0, (now - ms) / 1_000);
}

/** @param {number} share */
function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** @param {number|null} s */
function seconds(s) {
  return s === null ? text("never_heard") : span(s);
}
