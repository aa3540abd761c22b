/** System: is Meltwatch itself alive, and who is late? The data's path, furnaces, alarm figures. */

import { ask } from "./ask.js";
import { h, say } from "./dom.js";
import { openInputs } from "./inputs_table.js";
import { openKeyFigures } from "./key_figures.js";
import { pathOf } from "./system_path.js";
import { text } from "./text.js";

const EVERY_MS = 5_000;

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @param {URLSearchParams} _asked
 * @returns {import("./main.js").Page}
 */
export function openSystem(root, site, _asked) {
  const boxes = h("ol", { class: "path", "aria-label": text("data_path") });
  const said = h("p", { role: "status", class: "said" });
  const furnaces = h("section", { class: "inputs", "aria-label": text("furnace_inputs") });
  const figures = h("section", { class: "figures", "aria-label": text("alarm_figures") });
  root.className = "sheet system";
  root.append(h("h2", {}, text("page_system")), said, boxes, h("div", { class: "halves" }, furnaces, figures));
  const inputs = openInputs(furnaces, site.store);
  const alarms = openKeyFigures(figures);
  let isClosed = false;
  let isAsking = false;

  async function load() {
    if (isAsking) return;
    isAsking = true;
    try {
      const found = await ask("system");
      if (isClosed) return;
      say(said, "");
      boxes.replaceChildren(...pathOf(found, site.store).map(box));
      await inputs.load();
    } catch (error) {
      if (!isClosed) say(said, `${text("system_unknown")}: ${/** @type {Error} */ (error).message}`);
    } finally {
      isAsking = false;
    }
  }

  load();
  alarms.load();
  const ticking = setInterval(load, EVERY_MS);
  return {
    name: text("page_system"),
    close: () => {
      isClosed = true;
      clearInterval(ticking);
    },
  };
}

/** @param {import("./system_path.js").Box} told */
function box({ name, state, lines }) {
  const rows = lines.map(({ words, value, isOff }) =>
    h("div", { class: isOff ? "lacks" : "" }, h("dt", {}, words), h("dd", {}, value)));
  return h("li", { class: state === "ok" ? "box" : "box off" },
    h("h3", {}, name, state === "ok" ? null : h("span", { class: "state-word" }, ` ${text(`box_${state}`)}`)),
    h("dl", {}, ...rows));
}
