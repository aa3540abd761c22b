/** How far the inputs of a score can be trusted, each with its limit. */

import { h } from "./dom.js";
import { number } from "./evidence.js";
import { svg } from "./picture.js";
import { span, text } from "./text.js";

const LEAST_VIDEO = 0.9;
const LEAST_CURRENT = 0.95;
const OLD_S = 5;
const LAG_S = 10;

/**
 * @param {any} newest  as `/furnaces/{id}/newest` tells it
 * @param {number} nowMs
 * @returns {{name: string, value: string, limit: string, isOff: boolean}[]}
 */
export function qualityWords(newest, nowMs) {
  const clocks = newest.clock_reasons;
  const rest = newest.reasons.filter((/** @type {string} */ each) => !clocks.includes(each));
  return [
    input(newest, "video", text("camera"), newest.video_coverage, LEAST_VIDEO, nowMs),
    input(newest, "current", text("meter"), newest.current_coverage, LEAST_CURRENT, nowMs),
    {
      name: text("clocks"), value: clocks.length ? clocks.map(words).join(", ") : text("ok"),
      limit: "", isOff: clocks.length > 0,
    },
    {
      name: text("judged_after"), value: text("seconds", { s: newest.lag_s.toFixed(1) }),
      limit: text("at_most_s", { s: LAG_S }), isOff: newest.lag_s > LAG_S,
    },
    ...(rest.length ? [{ name: text("reasons"), value: rest.map(words).join(", "), limit: "", isOff: true }] : []),
  ];
}

/**
 * @param {any} newest @param {"video"|"current"} modality @param {string} name
 * @param {number} share @param {number} least @param {number} nowMs
 */
function input(newest, modality, name, share, least, nowMs) {
  const event = newest.event_ms[modality];
  const ageS = event === undefined ? null : Math.max(0, (nowMs - event) / 1_000);
  const age = ageS === null ? text("never_heard") : span(ageS);
  return {
    name, value: `${Math.round(share * 100)} %, ${age}`,
    limit: text("from_share", { share: Math.round(least * 100), s: OLD_S }),
    isOff: share < least || ageS === null || Math.floor(ageS) > OLD_S,
  };
}

/**
 * The members as ticks on the axis of the limit; null where nobody scored.
 * @param {any} newest @param {number} on
 */
export function membersLine(newest, on) {
  const { members, agreement } = newest ?? {};
  if (!members) return null;
  const reach = Math.max(2, ...members.map((/** @type {number} */ each) => Math.abs(each - on))) * 1.1;
  const ticks = members.map((/** @type {number} */ each) =>
    svg("rect", { x: (50 + (50 * (each - on)) / reach).toFixed(1), y: "2", width: "1.5", height: "12" }));
  const axis = svg(
    "svg", { viewBox: "0 0 100 16", preserveAspectRatio: "none", class: "members", "aria-hidden": "true" },
    svg("path", { d: "M0 8h100M50 0v16" }), ...ticks,
  );
  return h("li", { title: members.map(number).join(", "), class: agreement === "split" ? "lacks" : "" },
    h("b", {}, text("models")), " ", axis, ` ${text(`agree_${agreement}`)}`);
}

/** @param {string} reason */
function words(reason) {
  return reason.replaceAll("_", " ");
}
