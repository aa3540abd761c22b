/** One furnace: its alarms; pictures, scores and currents come beside them. */

import { openAlarmList } from "./alarm_list.js";
import { h } from "./dom.js";
import { text } from "./text.js";

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @param {string} id
 * @returns {import("./main.js").Page}
 */
export function openFurnace(root, site, id) {
  const list = h("section", { "aria-label": text("alarms") });
  root.className = "furnace";
  root.append(
    h("h2", {}, h("a", { href: "#/" }, text("plant")), ` / ${id.split("/").slice(-2).join(" / ")}`),
    list,
  );
  const alarms = openAlarmList(list, site, (alarm) => alarm.equipment_path === id);
  return { ...alarms, name: id };
}
