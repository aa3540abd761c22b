/** The one catalogue of words, and how values are shown. */

import { en } from "./words_en.js";
import { zh } from "./words_zh.js";

/** @type {Object<string, string>} */
let words = en;
let zone = "UTC";

/** @param {string} language @param {string} timeZone */
export function speak(language, timeZone) {
  words = language === "zh" ? zh : en;
  zone = timeZone;
  document.documentElement.lang = language;
}

/**
 * @param {string} key
 * @param {Object<string, string|number>} [values]  for `{name}` in the text
 */
export function text(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** Making one takes longer than using it a hundred times. @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {Intl.DateTimeFormatOptions} how */
function format(how) {
  const key = JSON.stringify([zone, how]);
  const made = formats.get(key) ?? new Intl.DateTimeFormat("en-GB", { ...how, timeZone: zone, hourCycle: "h23" });
  formats.set(key, made);
  return made;
}

/** @param {number} ms @param {Intl.DateTimeFormatOptions} how */
function shown(ms, how) {
  return format(how).format(ms);
}

const HOUR_MS = 3_600_000;
/** @type {Intl.DateTimeFormatOptions} */
const DAY_AND_MINUTE = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };

/** A time with its offset in the hour that the end of summer time brings twice. @param {number} ms @param {string} words */
function sure(ms, words) {
  const [before, here, after] = [ms - HOUR_MS, ms, ms + HOUR_MS].map((each) => shown(each, DAY_AND_MINUTE));
  return here === before || here === after ? `${words} ${offset(ms)}` : words;
}

/** @type {Intl.DateTimeFormatOptions} */
const SECOND = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

/** A time of day in the plant's zone. @param {number} ms */
export function clock(ms) {
  return sure(ms, shown(ms, SECOND));
}

/** A time of day with the zone's offset. @param {number} ms */
export function zoned(ms) {
  return `${shown(ms, SECOND)} ${offset(ms)}`;
}

/** Hours and minutes, with the day where it is not today. @param {number} ms @param {number} nowMs */
export function moment(ms, nowMs) {
  const day = { day: "numeric", month: "short" };
  // @ts-ignore one of the constant forms
  const date = shown(ms, day) === shown(nowMs, day) ? "" : `${shown(ms, day)} `;
  return date + sure(ms, shown(ms, { hour: "2-digit", minute: "2-digit" }));
}

/** The zone's offset now, e.g. +08 or UTC. @param {number} ms */
function offset(ms) {
  const found = format({ timeZoneName: "longOffset" }).formatToParts(ms).find((part) => part.type === "timeZoneName");
  const value = (found?.value ?? "GMT").replace("GMT", "").replace(/:00$/, "");
  return /^[+-]00$|^$/.test(value) ? "UTC" : value;
}

/** How long, in the largest fitting units. @param {number} seconds */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [d, h, m] = [Math.floor(whole / 86_400), Math.floor(whole / 3_600), Math.floor(whole / 60)];
  if (d >= 1) return text("days", { d });
  if (h >= 1) return m % 60 ? text("hours_minutes", { h, m: m % 60 }) : text("hours", { h });
  if (m >= 10 || (m >= 1 && whole % 60 === 0)) return text("minutes", { m });
  return m >= 1 ? text("minutes_seconds", { m, s: whole % 60 }) : text("seconds", { s: whole });
}
