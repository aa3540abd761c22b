/** How an alarm and a furnace are said: shape, number, word, class. The same everywhere. */

import { NO_CURRENT, NO_VIDEO, OLD_MS, UNSCORED } from "./state.js";
import { moment, span, text } from "./text.js";

/** @type {Object<string, {shape: string, number: number}>} */
export const PRIORITIES = {
  critical: { shape: "◆", number: 1 },
  high: { shape: "▲", number: 2 },
  medium: { shape: "■", number: 3 },
  low: { shape: "●", number: 4 },
};
/** Waits for an acknowledgement, also when it has gone. */
const UNACKNOWLEDGED = new Set(["UNACK", "RTNUN", "LATUN"]);
/** On the list of an operator. */
const STANDING = new Set(["UNACK", "ACKED", "RTNUN", "LATUN", "LATAK"]);
const CLASSES = { UNACK: "new", ACKED: "seen", RTNUN: "half", LATUN: "latched", LATAK: "latched" };

/** @param {import("./state.js").Alarm} alarm */
export function isUnacknowledged(alarm) {
  return UNACKNOWLEDGED.has(alarm.state);
}

/** On the alarm list: not shelved or suppressed, not for the journal alone. @param {any} alarm */
export function isStanding(alarm) {
  return STANDING.has(alarm.state) && alarm.priority in PRIORITIES && alarm.mode !== "shadow";
}

/** Taken off the list by somebody, for a time. @param {any} alarm */
export function isPutAside(alarm) {
  return (alarm.state === "SHLVD" || alarm.state === "OOSRV") && alarm.mode !== "shadow";
}

/** Of the self-test: shown, and counted nowhere. @param {string} furnaceId */
export function isSelftest(furnaceId) {
  return furnaceId.startsWith("selftest/");
}

/** @param {any} alarm @param {number} nowMs */
export function stateWord(alarm, nowMs) {
  if (alarm.state === "SHLVD" && alarm.shelve)
    return text("shelved_until", { time: moment(Date.parse(alarm.shelve.until), nowMs) });
  return text(`state_${alarm.state}`);
}

/** Class names of priority and state. @param {any} alarm */
export function classesOf(alarm) {
  // @ts-ignore every listed state has one
  const state = CLASSES[alarm.state] ?? "aside";
  const blinks = state === "new" && alarm.mode === "alarm" ? " blinks" : "";
  return `p${PRIORITIES[alarm.priority]?.number ?? 4} ${state}${blinks}`;
}

/** Shape and number, e.g. ▲2. @param {any} alarm */
export function sign(alarm) {
  const { shape, number } = PRIORITIES[alarm.priority] ?? PRIORITIES.low;
  return shape + number;
}

/** Not acknowledged, then priority, then newest: the order of every list. @param {any} a @param {any} b */
export function inOrder(a, b) {
  return (
    Number(isUnacknowledged(b)) - Number(isUnacknowledged(a)) ||
    PRIORITIES[a.priority].number - PRIORITIES[b.priority].number ||
    Date.parse(b.raise_time ?? b.condition_time) - Date.parse(a.raise_time ?? a.condition_time) ||
    a.alarm_id.localeCompare(b.alarm_id)
  );
}

/** The token of an acknowledgement. @param {any} alarm */
export function tokenOf(alarm) {
  return alarm.annunciation_id ?? alarm.event_id;
}

/** Last two levels of an id. @param {string} id */
export function shortName(id) {
  return id.split("/").slice(-2).join(" / ");
}

/**
 * What is unknown of a furnace, in words; empty where all is known.
 * @param {import("./state.js").Score|undefined} score
 * @param {number} nowMs
 */
export function unknown(score, nowMs) {
  const lack = unseen(score, nowMs);
  return lack || !score || (score.flags & UNSCORED) === 0 ? lack : text("not_judged");
}

/**
 * What of a furnace is not seen, in words: an alarm that no model judges lacks nothing else.
 * @param {import("./state.js").Score|undefined} score
 * @param {number} nowMs
 */
export function unseen(score, nowMs) {
  if (!score) return text("no_score");
  if (nowMs - score.endMs > OLD_MS)
    return text("old", { age: span((nowMs - score.endMs) / 1_000) });
  if ((score.flags & NO_VIDEO) !== 0 && (score.flags & NO_CURRENT) !== 0) return text("no_data");
  if ((score.flags & NO_VIDEO) !== 0) return text("no_video");
  if ((score.flags & NO_CURRENT) !== 0) return text("no_current");
  return "";
}
