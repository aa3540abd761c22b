/** The ways between the pages: in the same place on every page, with two keys each. */

import { h, mark } from "./dom.js";
import { text } from "./text.js";

/** By the key after `g`. @type {Object<string, {name: string, hash: string}>} */
export const PLACES = {
  p: { name: "plant", hash: "#/" },
  r: { name: "review", hash: "#/review" },
  b: { name: "backtests", hash: "#/backtests" },
  s: { name: "system", hash: "#/system" },
};

/** Links to all pages; the one that is open is marked. */
export function ways() {
  const links = Object.entries(PLACES).map(([key, { name, hash }]) =>
    h("a", { href: hash, "data-page": name, title: `g ${key}` }, text(`page_${name}`)));
  function show() {
    const open = placeOf(location.hash);
    for (const link of links) mark(link, "aria-current", link.dataset.page === open ? "page" : null);
  }
  addEventListener("hashchange", show);
  show();
  return h("nav", { class: "ways", "aria-label": text("pages") }, ...links);
}

/** Which page an address opens; a furnace's is none of them. @param {string} hash */
export function placeOf(hash) {
  const first = hash.slice(1).split("?")[0].split("/")[1] ?? "";
  if (first === "") return "plant";
  return Object.values(PLACES).find(({ name }) => name === first)?.name ?? "";
}
