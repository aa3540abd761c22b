/** A furnace's frame, enlarged without smoothing, and what the anomaly map marks in it. */

import { h, mark, say } from "./dom.js";
import { text } from "./text.js";

export const SIDE = 64;
const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {{partition: number, offset: number, at_ms: number, event_ns: string,
 *   window_end_ms: number, address?: string}} Frame
 * @typedef {{cells: number[][], share: number, place: string, words?: string}} Spot  `words` in place of our own
 * @typedef {Spot|"none"|"away"|"unkept"} Marked  what the map marks; or why nothing is known of it
 */

/** @param {string} furnaceId @param {Frame} frame */
export function frameAddress(furnaceId, frame) {
  if (frame.address) return frame.address; // kept as evidence
  const { partition, offset, event_ns } = frame;
  return `api/v1/furnaces/${furnaceId}/frames/${partition}-${offset}.png?event_ns=${event_ns}`;
}

/**
 * The border of some cells as an SVG path: each edge between a marked pixel and one that is not.
 * @param {number[][]} cells  `[row, column]`
 */
export function outline(cells) {
  const marked = new Set(cells.map(([row, column]) => row * SIDE + column));
  /** @param {number} row @param {number} column */
  const has = (row, column) =>
    row >= 0 && row < SIDE && column >= 0 && column < SIDE && marked.has(row * SIDE + column);
  const edges = [];
  for (const [row, column] of cells) {
    if (!has(row - 1, column)) edges.push(`M${column} ${row}h1`);
    if (!has(row + 1, column)) edges.push(`M${column} ${row + 1}h1`);
    if (!has(row, column - 1)) edges.push(`M${column} ${row}v1`);
    if (!has(row, column + 1)) edges.push(`M${column + 1} ${row}v1`);
  }
  return edges.join("");
}

/** The marked cells as areas. @param {number[][]} cells */
function area(cells) {
  return cells.map(([row, column]) => `M${column} ${row}h1v1h-1z`).join("");
}

/** @param {string} tag @param {Object<string, string>} attributes @param {...Element} children */
export function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

let patterns = 0;

/** One picture with its outline, and words for who does not see it. */
export class Picture {
  /** @param {string} furnaceId */
  constructor(furnaceId) {
    this.furnaceId = furnaceId;
    this.image = /** @type {HTMLImageElement} */ (h("img", { class: "frame", hidden: true }));
    this.hatch = svg("path", { class: "hatch" });
    this.casing = svg("path", { class: "casing" });
    this.line = svg("path", { class: "outline" });
    const name = `hatch-${(patterns += 1)}`;
    this.hatch.style.fill = `url(#${name})`;
    const stripes = svg(
      "pattern",
      { id: name, width: "2", height: "2", patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("path", { d: "M0 0v2", class: "stripe" }),
    );
    this.over = svg(
      "svg",
      { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "over", "aria-hidden": "true" },
      svg("defs", {}, stripes), this.hatch, this.casing, this.line,
    );
    this.words = h("p", { class: "q words" });
    this.lack = h("p", { class: "lack" });
    this.node = h("figure", { class: "picture" }, h("div", { class: "stage" }, this.image, this.lack), this.words);
    this.image.after(this.over);
    this.image.addEventListener("error", () => this.showNothing(text("no_picture")));
    this.image.addEventListener("load", () => {
      this.image.hidden = false;
      say(this.lack, "");
    });
  }

  /** @param {Frame} frame @param {Marked} spot */
  show(frame, spot) {
    const address = frameAddress(this.furnaceId, frame);
    if (this.image.getAttribute("src") !== address) this.image.src = address;
    mark(this.image, "data-at-ms", String(frame.at_ms));
    const isMap = typeof spot !== "string";
    const cells = isMap ? spot.cells : [];
    const edge = outline(cells);
    for (const path of [this.casing, this.line]) mark(path, "d", edge);
    mark(this.hatch, "d", area(cells));
    const said = isMap && cells.length
      ? spot.words ?? text("spot", { place: text(`place_${spot.place}`), share: (spot.share * 100).toFixed(1) })
      : isMap ? text("no_spot") : text(`map_${spot}`);
    say(this.words, said);
    mark(this.image, "alt", `${text("frame_of")} ${said}`);
  }

  /** @param {string} reason */
  showNothing(reason) {
    this.image.hidden = true;
    this.image.removeAttribute("src");
    for (const path of [this.hatch, this.casing, this.line]) path.removeAttribute("d");
    say(this.lack, reason);
    say(this.words, "");
  }

  /** @param {boolean} isBare */
  setBare(isBare) {
    this.node.classList.toggle("bare", isBare);
  }
}
