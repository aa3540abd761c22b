/** Backtests: what another threshold or model would have done. */

import { h } from "./dom.js";
import { text } from "./text.js";

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} _site
 * @param {URLSearchParams} _asked  what the address asks for
 * @returns {import("./main.js").Page}
 */
export function openBacktests(root, _site, _asked) {
  root.className = "sheet";
  root.append(h("h2", {}, text("page_backtests")), h("p", { class: "q" }, text("no_backtests")));
  return { name: text("page_backtests"), close: () => {} };
}
