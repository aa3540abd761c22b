/** The page System. */

import { h } from "./dom.js";
import { text } from "./text.js";

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} _site
 * @param {URLSearchParams} _asked  what the address asks for
 * @returns {import("./main.js").Page}
 */
export function openSystem(root, _site, _asked) {
  root.className = "sheet";
  root.append(h("h2", {}, text("page_system")));
  return { name: text("page_system"), close: () => {} };
}
