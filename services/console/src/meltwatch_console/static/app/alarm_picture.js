/** What the camera saw when an alarm's newest window ended, with the outlined map. */

import { h, say } from "./dom.js";
import { number, PATCHES, placeOf } from "./evidence.js";
import { Films } from "./films.js";
import { Picture, SIDE } from "./picture.js";
import { clock, text } from "./text.js";

/** An alarm may come before its window has been read: it is asked for again, ms. */
const AGAIN_MS = 2_000;
/** After so many it is asked for more and more rarely, the last time after half an hour. */
const SOON = 2;
const TRIES = 11;

export class AlarmPicture {
  /** @param {string} furnaceId */
  constructor(furnaceId) {
    this.films = new Films(furnaceId);
    this.picture = new Picture(furnaceId);
    this.when = h("p", { class: "q instant" });
    this.node = h("div", { class: "sight" }, this.picture.node, this.when);
    this.endMs = 0;
    this.tries = 0;
    this.askAtMs = 0;
  }

  /** Show the picture of an alarm's window, or try again. @param {any} alarm @param {number} nowMs  of a clock that never steps */
  show(alarm, nowMs) {
    const endMs = Math.floor(Date.parse(alarm.evidence.window_end));
    if (endMs !== this.endMs) {
      this.endMs = endMs;
      this.tries = TRIES;
      this.askAtMs = nowMs;
      this.picture.showNothing(text("no_picture"));
      say(this.when, whenOf(endMs, alarm.evidence.score));
    }
    if (!this.tries || nowMs < this.askAtMs) return;
    this.tries -= 1;
    this.askAtMs = nowMs + AGAIN_MS * 2 ** Math.max(0, TRIES - SOON - this.tries);
    this.load(endMs, alarm.evidence);
  }

  /** @param {number} endMs @param {any} evidence */
  async load(endMs, evidence) {
    const { own, spot } = await this.films.of(endMs, evidence.score);
    if (!own || endMs !== this.endMs) return;
    this.tries = 0;
    this.picture.show(own, patchOf(evidence) ?? spot);
  }
}

/** The patch that is most unlike the portrait, if somebody has said which. @param {any} evidence */
function patchOf(evidence) {
  const place = placeOf(evidence);
  if (!place) return null;
  const { row, column } = evidence.novelty;
  const size = SIDE / PATCHES;
  const cells = Array.from({ length: size * size }, (_, at) =>
    [row * size + Math.floor(at / size), column * size + (at % size)]);
  return { cells, share: 1 / PATCHES ** 2, place, words: text("most_unlike", { place: text(`place_${place}`) }) };
}

/** The window's end, and its score: the one beside it is of now. @param {number} endMs @param {number|null|undefined} score */
function whenOf(endMs, score) {
  const at = text("picture_at", { time: clock(endMs) });
  return typeof score === "number" ? `${at}: ${text("score")} ${number(score)}` : at;
}
