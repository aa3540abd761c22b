/** "There was one here": a stretch of a furnace's trace in which no alarm told what happened. */

import { askMissed } from "./dialogs.js";
import { h, say } from "./dom.js";
import { clock, text } from "./text.js";
import { shortName } from "./wording.js";

/**
 * @param {import("./main.js").Site} site
 * @param {string} id  of the furnace
 * @param {() => number|null} instant  that somebody has chosen on the trace
 */
export function missedEvent(site, id, instant) {
  /** @type {number|null} */
  let fromMs = null;
  const button = h("button", { class: "plain", onclick: choose }, text("missed_from"));
  const said = h("span", { role: "status", class: "q" });

  async function choose() {
    const atMs = instant();
    if (site.desk.obstacle) return say(said, site.desk.obstacle);
    if (atMs === null) return say(said, text("missed_choose"));
    if (fromMs === null || fromMs === atMs) {
      fromMs = atMs;
      say(button, text("missed_to"));
      return say(said, text("missed_since", { time: clock(atMs) }));
    }
    const [from, to] = [Math.min(fromMs, atMs), Math.max(fromMs, atMs)];
    forget();
    const cause = await askMissed(`${shortName(id)}: ${clock(from)} – ${clock(to)}`);
    if (cause === null) return say(said, "");
    const alarm = { alarm_id: api.alarmId, equipment_path: id, title: text("missed_event") };
    const missed = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
    say(said, await site.desk.ask(alarm, "judge", { arguments: { missed, ...(cause ? { cause } : {}) } }));
  }

  function forget() {
    fromMs = null;
    say(button, text("missed_from"));
  }

  const api = { node: h("span", { class: "missed" }, button, " ", said), alarmId: "" };
  return api;
}
