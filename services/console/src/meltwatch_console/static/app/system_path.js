/** The path of the data as boxes, in the order in which they flow. A service that is away is said. */

import { clock, span, text } from "./text.js";

/**
 * @typedef {{words: string, value: string, isOff?: boolean}} Line
 * @typedef {{name: string, state: string, lines: Line[]}} Box
 */

/** In the order of the flow; further services stand before the console. */
const ORDER = ["video_producer", "current_producer", "source_producer", "stream_processor", "alarm_manager"];
/** The view is written several times a second. */
const OLD_VIEW_S = 5;

/** @param {any} found  as `/system` tells it @param {import("./state.js").Store} store @returns {Box[]} */
export function pathOf(found, store) {
  const place = (/** @type {any} */ { name }) => {
    const at = ORDER.findIndex((each) => name.startsWith(each)); // of two, each has a number behind it
    return at < 0 ? ORDER.length : at;
  };
  const services = [...found.services].sort((a, b) => place(a) - place(b) || a.name.localeCompare(b.name));
  return [
    furnacesBox(found.furnaces), ...services.map(serviceBox), managerBox(found, store), consoleBox(found),
  ];
}

/** @param {any} told @returns {Box} */
function furnacesBox({ known, heard, by_status: statuses, score_lag_s: lag }) {
  return {
    name: text("box_furnaces"),
    state: "ok",
    lines: [
      { words: text("heard_now"), value: `${heard} / ${known}`, isOff: heard < known },
      ...Object.entries(statuses).map(([status, n]) => ({
        words: text(`status_${status}`), value: String(n), isOff: status !== "scored",
      })),
      ...quantiles(text("window_to_score"), lag),
    ],
  };
}

/** @param {any} told @returns {Box} */
function serviceBox({ name, address, state, reason, figures, event_to_score_s: lag, records_a_second: rate }) {
  if (state !== "ok") return { name, state, lines: [{ words: address, value: "" }, { words: reason, value: "" }] };
  const { dependencies, endpoints } = figures;
  /** @type {Line[]} */
  const lines = [
    ...Object.entries(rate).filter(([, n]) => n > 0).map(([topic, n]) => ({ words: `${topic}, ${text("a_second")}`, value: rounded(n) })),
    ...counts(text("windows"), figures.windows, () => false),
    ...quantiles(text("event_to_score"), lag),
    ...counts(text("late_records"), figures.late, () => false),
    ...counts(text("dead_letters"), figures.dead_letters, (n) => n > 0),
    ...ups("Triton", endpoints),
    ...ups("", dependencies),
  ];
  const waiting = sum(figures.waiting_bytes);
  if (waiting > 0) lines.push({ words: text("waits_on_disk"), value: bytes(waiting), isOff: true });
  // Every service counts everything: only an alarm manager has something to do with Redis.
  if (dependencies && "redis" in dependencies) lines.push(...managerLines(figures));
  if (figures.memory_bytes) lines.push({ words: text("memory"), value: bytes(figures.memory_bytes[""]) });
  return { name, state, lines };
}

/** Who leads, and how far the list in Redis is behind. @param {any} figures @returns {Line[]} */
function managerLines({ leader, view_age_s: view }) {
  /** @type {Line[]} */
  const lines = [];
  if (leader) lines.push({ words: text("leads"), value: text(leader[""] === 1 ? "yes" : "no") });
  if (!view) return lines;
  const isOff = view[""] > OLD_VIEW_S;
  const value = isOff ? text("old", { age: span(view[""]) }) : text("up_to_date");
  return [...lines, { words: text("view_in_redis"), value, isOff }];
}

/** @param {any} found @param {import("./state.js").Store} store @returns {Box} */
function managerBox({ alarm_manager: beat, now_ms: now }, { trust }) {
  if (!beat) return { name: text("box_heartbeat"), state: "away", lines: [] };
  const ageS = (now - Date.parse(beat.at)) / 1_000;
  return {
    name: text("box_heartbeat"),
    state: trust.state === "live" ? "ok" : "away",
    lines: [
      { words: text("last_heard"), value: text("ago", { age: span(ageS) }), isOff: ageS > 15 },
      { words: text("epoch"), value: `${beat.epoch} · ${beat.seq}` },
      { words: text("active_alarms"), value: String(beat.active_alarms) },
      ...(beat.watched === null ? [] : [{ words: text("watched_blind"), value: `${beat.watched} / ${beat.blind}`, isOff: beat.blind > 0 }]),
    ],
  };
}

/** @param {any} found @returns {Box} */
function consoleBox({ console: own }) {
  /** @type {Line[]} */
  const lines = [
    { words: text("browsers"), value: String(own.browsers) },
    { words: text("memory"), value: bytes(own.memory_bytes) },
    { words: text("history_since"), value: own.history_from_ms ? clock(own.history_from_ms) : "–" },
    { words: text("history_left"), value: String(own.history_left), isOff: own.history_left > 0 },
    ...Object.entries(own.read_bytes).map(([topic, n]) => ({ words: text("read_of", { topic }), value: bytes(n) })),
    own.evidence
      ? { words: text("evidence_kept"), value: `${own.evidence.kept}, ${text("failed", { n: own.evidence.failed })}`, isOff: own.evidence.failed > 0 }
      : { words: text("evidence_kept"), value: text("kept_nowhere") },
  ];
  if (own.scores_problem) lines.unshift({ words: text("problem"), value: own.scores_problem, isOff: true });
  if (own.furnaces_left_out) lines.push({ words: text("left_out"), value: String(own.furnaces_left_out), isOff: true });
  return { name: text("box_console"), state: "ok", lines };
}

/** @param {string} name @param {Object<string, number>|undefined} told @param {(n: number) => boolean} isOff @returns {Line[]} */
function counts(name, told, isOff) {
  return Object.entries(told ?? {}).map(([word, n]) => ({ words: `${name}: ${word.replaceAll("_", " ")}`, value: rounded(n), isOff: isOff(n) }));
}

/** @param {string} kind @param {Object<string, number>|undefined} told @returns {Line[]} */
function ups(kind, told) {
  return Object.entries(told ?? {}).map(([name, up]) => ({
    words: kind ? `${kind} ${name}` : name, value: text(up === 1 ? "up" : "down"), isOff: up !== 1,
  }));
}

/** @param {string} words @param {{p50: number, p95: number}|null} told @returns {Line[]} */
function quantiles(words, told) {
  return told ? [{ words, value: text("half_and_most", { p50: told.p50.toFixed(1), p95: told.p95.toFixed(1) }) }] : [];
}

/** @param {Object<string, number>|undefined} told */
function sum(told) {
  return Object.values(told ?? {}).reduce((a, b) => a + b, 0);
}

/** @param {number} n */
function rounded(n) {
  return n >= 100 || Number.isInteger(n) ? Math.round(n).toLocaleString("en") : n.toFixed(1);
}

/** @param {number|null} n */
function bytes(n) {
  if (n === null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let left = n;
  while (left >= 1_000 && at < units.length - 1) {
    left /= 1_000;
    at += 1;
  }
  return `${left >= 100 || at === 0 ? Math.round(left) : left.toFixed(1)} ${units[at]}`;
}
