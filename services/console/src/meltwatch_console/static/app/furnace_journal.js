/** What has happened at one furnace: a list, and marks on its trace. */

import { h } from "./dom.js";
import { moment, text } from "./text.js";
import { sign } from "./wording.js";

const MOST = 200;
const SHOWN = 30;
const MARKED = new Set(["RAISE", "ACK", "CLEAR", "RTN", "REALARM"]);

/**
 * @param {HTMLElement} root
 * @param {string} id  of the furnace
 * @param {() => void} changed
 */
export function openJournal(root, id, changed) {
  /** @type {any[]} */
  let records = [];
  const list = h("ul", {});
  root.append(h("h3", {}, text("journal")), list);

  async function load() {
    const answer = await fetch(`api/v1/journal?furnace=${encodeURIComponent(id)}&most=${MOST}`).catch(() => null);
    if (!answer?.ok) return;
    records = (await answer.json()).records;
    const shown = records.slice(0, SHOWN).map(line);
    list.replaceChildren(...(shown.length ? shown : [h("li", { class: "q" }, text("nothing_happened"))]));
    changed();
  }
  load();

  return {
    load,
    /** @returns {import("./trace.js").Mark[]} */
    marks: () => records.filter((each) => MARKED.has(each.transition.cause) && each.class === "process").map(markOf),
  };
}

/** When a record's change holds from, in event time where it has one. @param {any} record */
function atMs(record) {
  const { cause } = record.transition;
  const time = cause === "RAISE" ? record.raise_time : cause === "ACK" ? record.ack_time : record.clear_time;
  return Date.parse(time ?? record.times.published);
}

/** @param {any} record */
function markOf(record) {
  const { cause } = record.transition;
  const word = cause === "RAISE" || cause === "REALARM" ? `${sign(record)} ${text("raised")}` : text(cause === "ACK" ? "seen" : "gone");
  return { at_ms: atMs(record), sign: word, words: record.title, alarm: record };
}

/** @param {any} record */
function line(record) {
  const { cause, by, comment } = record.transition;
  const at = Date.parse(record.times.published);
  const told = [`${sign(record)} ${record.title}:`, text(`cause_${cause}`), by ? text("by", { by }) : "", comment ? `“${comment}”` : ""];
  const review = cause === "RAISE" && record.class === "process" ? ` · ` : null;
  return h("li", {}, h("time", { datetime: record.times.published, title: record.times.published }, moment(at, Date.now())), ` ${told.filter(Boolean).join(" ")}`, review, review && reviewLink(record));
}

/** @param {any} record */
function reviewLink({ equipment_path: furnace, occurrence_id: occurrence }) {
  return h("a", { href: `#/review?${new URLSearchParams({ furnace, occurrence })}` }, text("review_event"));
}
