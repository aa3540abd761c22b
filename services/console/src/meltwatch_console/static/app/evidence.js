/** Why an alarm stands: the score with its limit, and how far the inputs can be trusted. */

import { h, say } from "./dom.js";
import { text } from "./text.js";
import { unknown, unseen } from "./wording.js";

/** Patches of a picture, in one direction. */
export const PATCHES = 8;

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @param {any} alarm
 * @returns {() => void}  to be called when a second has passed, or scores have come
 */
export function fillEvidence(root, site, alarm) {
  const { store } = site;
  const { evidence } = alarm;
  const index = [...store.furnaces.values()].find((each) => each.id === alarm.equipment_path)?.index;
  const now = h("b", { class: "score" });
  const limits = h("span", {});
  const lack = h("strong", { class: "lacks" });
  const byImbalance = typeof evidence.imbalance_on === "number";
  const byNovelty = typeof evidence.novelty_on === "number";
  const trust = [...unlike(evidence), text(`quality_${alarm.quality}`), ...alarm.quality_reasons.map(words)];
  const agree = agreement(evidence);
  root.replaceChildren(
    h("p", {}, now, " ", limits, " ", lack),
    h("p", { class: "q" }, [...trust, agree].filter(Boolean).join(" · ")),
  );

  function tick() {
    const live = index === undefined ? undefined : store.scores.get(index);
    const score = live ? live.score : evidence.score;
    if (alarm.class === "system") return;
    const lacking = byImbalance || byNovelty ? unseen : unknown;
    say(lack, live ? lacking(live, store.now()) : "");
    if (byImbalance) {
      say(now, percent(evidence.imbalance));
      say(limits, text("limit", { on: percent(evidence.imbalance_on), off: percent(evidence.imbalance_off) }));
      return;
    }
    if (byNovelty) {
      const { video, current } = evidence.novelty ?? {};
      const told = [video, current].filter((each) => typeof each === "number");
      say(now, told.length ? text("surprise", { n: number(Math.max(...told)) }) : text("no_surprise"));
      say(limits, text("limit", { on: number(evidence.novelty_on), off: number(evidence.novelty_off) }));
      return;
    }
    say(now, score === null || score === undefined ? text("no_score") : number(score));
    say(limits, text("limit", { on: number(evidence.threshold), off: number(evidence.threshold_off) }));
  }
  tick();
  return tick;
}

/** What is unlike the portrait, and where. @param {any} evidence @returns {string[]} */
function unlike(evidence) {
  const { video, current } = evidence.novelty ?? {};
  const place = placeOf(evidence);
  const said = [];
  if (typeof video === "number") {
    const n = number(video);
    said.push(place ? text("unlike_at", { n, place: text(`place_${place}`) }) : text("unlike_video", { n }));
  }
  if (typeof current === "number") said.push(text("unlike_current", { n: number(current) }));
  return said;
}

/** Where the picture is most unlike the portrait, by thirds; empty where nobody has said it. @param {any} evidence */
export function placeOf(evidence) {
  const { row, column } = evidence.novelty ?? {};
  if (typeof row !== "number" || typeof column !== "number") return "";
  const third = (/** @type {number} */ at) => Math.floor((3 * (at + 0.5)) / PATCHES);
  const words = [["upper", "middle", "lower"][third(row)], ["left", "middle", "right"][third(column)]];
  return [...new Set(words)].join(" ");
}

/** What the models say of each other. @param {any} evidence */
function agreement(evidence) {
  const { members, threshold } = evidence;
  if (!members?.length) return "";
  const over = members.filter((/** @type {number} */ each) => each >= threshold).length;
  if (over === members.length) return text("all_over", { n: members.length });
  return over ? text("split", { over, n: members.length }) : text("all_under", { n: members.length });
}

/** @param {string} reason */
function words(reason) {
  return reason.replaceAll("_", " ");
}

/** @param {number} value */
export function number(value) {
  return value.toFixed(1).replace("-", "−");
}

/** @param {number|null|undefined} share */
function percent(share) {
  return share === null || share === undefined ? text("no_score") : `${(share * 100).toFixed(0)} %`;
}
