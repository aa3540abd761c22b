/** What a screen reader says by itself: new alarms, critical ones at once; never a ticking number. */

import { h } from "./dom.js";
import { text } from "./text.js";
import { isStanding, isUnacknowledged, shortName } from "./wording.js";

const MOST_LINES = 20;

/** @param {import("./state.js").Store} store */
export function announce(store) {
  const log = /** @type {HTMLElement} */ (document.getElementById("log"));
  const alert = /** @type {HTMLElement} */ (document.getElementById("alert"));
  store.listen(({ what, alarm, before }) => {
    if (what !== "alarm" || !alarm || alarm.removed || !isStanding(alarm)) return;
    const isNew = isUnacknowledged(alarm) && (!before || before.occurrence_id !== alarm.occurrence_id);
    if (!isNew || alarm.mode !== "alarm") return;
    const line = text("announced", {
      priority: text(alarm.priority),
      furnace: shortName(alarm.equipment_path),
      title: alarm.title,
      action: alarm.guidance.action,
    });
    const place = alarm.priority === "critical" ? alert : log;
    place.append(h("p", {}, line));
    while (place.childElementCount > MOST_LINES) place.firstElementChild?.remove();
  });
}
