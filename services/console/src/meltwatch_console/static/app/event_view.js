/** One event to review: picture, film strip, score and currents on one axis, one instant in all. */

import { h, mark, say } from "./dom.js";
import { number } from "./evidence.js";
import { AFTER_MS, BEFORE_MS, occasionOf } from "./occasion.js";
import { frameAddress, outline, Picture, svg } from "./picture.js";
import { clock, text } from "./text.js";
import { CurrentTrace, loadUplot, ScoreTrace } from "./trace.js";
import { sign } from "./wording.js";

const PLAY_MS = 160;
const SIDE = 44;

export class EventView {
  /** @param {import("./main.js").Site} site */
  constructor(site) {
    this.site = site;
    /** @type {any} */
    this.occurrence = null;
    /** @type {import("./occasion.js").Occasion|null} */
    this.occasion = null;
    this.at = 0;
    this.isBare = false;
    this.isClosed = false;
    /** @type {Picture|null} */
    this.picture = null;
    this.place = h("div", { class: "seen" });
    this.instant = h("p", { class: "instant" });
    this.lack = h("p", { class: "q lack-of" });
    this.strip = h("ol", { class: "strip", "aria-label": text("strip") });
    this.scorePlace = h("div", { class: "plot", "data-trace": "score" });
    this.currentPlace = h("div", { class: "plot", "data-trace": "currents" });
    this.traces = h("section", { class: "traces", "aria-label": text("traces") },
      h("h3", {}, text("score_title")), this.scorePlace,
      h("h3", {}, text("currents_title")), this.currentPlace);
    this.node = h("div", { class: "event" },
      h("div", { class: "look" }, h("section", { "aria-label": text("camera") }, this.instant, this.place), this.traces),
      this.lack, this.strip);
    this.traces.addEventListener("click", () => this.pin(this.pointedMs));
    this.strip.addEventListener("click", (event) => {
      const still = /** @type {HTMLElement} */ (event.target).closest("button");
      if (still) this.show([...this.strip.querySelectorAll("button")].indexOf(still));
    });
    /** @type {number|null} */
    this.pointedMs = null;
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(this.traces);
    this.themed = new MutationObserver(() => this.draw());
    this.themed.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    this.drawn = loadUplot().then((uPlot) => this.makeTraces(uPlot));
  }

  /** @param {any} uPlot */
  makeTraces(uPlot) {
    if (this.isClosed) return;
    const zone = this.site.me.time_zone;
    const point = (/** @type {number|null} */ ms) => {
      this.pointedMs = ms;
    };
    this.score = new ScoreTrace(uPlot, this.scorePlace, zone, point);
    this.current = new CurrentTrace(uPlot, this.currentPlace, zone, point);
    this.fit();
  }

  /** @param {any} occurrence */
  async open(occurrence) {
    this.stop();
    this.occurrence = occurrence;
    this.occasion = null;
    this.picture = new Picture(occurrence.furnace);
    this.picture.setBare(this.isBare);
    this.picture.showNothing(text("reading_event"));
    this.place.replaceChildren(this.picture.node);
    this.strip.replaceChildren();
    say(this.lack, "");
    say(this.instant, "");
    const [occasion] = await Promise.all([occasionOf(occurrence), this.drawn]);
    if (this.isClosed || this.occurrence !== occurrence) return;
    this.occasion = occasion;
    say(this.lack, [occasion.isKept ? text("kept_evidence") : "", occasion.lack].filter(Boolean).join(": "));
    this.strip.replaceChildren(...occasion.windows.map((each) => this.still(each)));
    const raised = occasion.windows.findIndex((each) => each.end_ms >= occurrence.raised_ms);
    this.show(raised < 0 ? occasion.windows.length - 1 : raised);
    this.draw();
  }

  /** @param {import("./occasion.js").Window} window */
  still({ end_ms, frame, spot }) {
    const image = frame && h("img", { src: frameAddress(this.occurrence.furnace, frame), alt: "", width: SIDE, height: SIDE, loading: "lazy" });
    const edge = typeof spot === "string" ? null : svg("svg", { viewBox: "0 0 64 64", class: "over", "aria-hidden": "true" },
      svg("path", { d: outline(spot.cells), class: "casing" }), svg("path", { d: outline(spot.cells), class: "outline" }));
    const words = `${clock(end_ms)}${frame ? "" : `, ${text("no_picture")}`}`;
    return h("li", {}, h("button", { class: "still", tabindex: "-1", title: words, "aria-label": words, "data-end-ms": end_ms },
      h("span", { class: "stage" }, image, edge)));
  }

  /** Show one window in picture, strip and traces. @param {number} at  its place */
  show(at) {
    const { windows, lack } = this.occasion ?? { windows: [], lack: "" };
    const window = windows[at];
    if (!window) {
      this.picture?.showNothing(lack || text("no_picture"));
      return;
    }
    const before = this.strip.children[this.at]?.firstElementChild;
    const now = this.strip.children[at]?.firstElementChild;
    if (before) mark(before, "aria-current", null), mark(before, "tabindex", "-1");
    if (now) mark(now, "aria-current", "true"), mark(now, "tabindex", "0");
    if (before && before === document.activeElement) /** @type {HTMLElement} */ (now).focus();
    this.at = at;
    if (window.frame) this.picture?.show(window.frame, window.spot);
    else this.picture?.showNothing(text("no_picture"));
    const row = this.rowAt(window.end_ms);
    const score = row?.high ?? null;
    say(this.instant, `${text("picture_at", { time: clock(window.end_ms) })}: ${text("score")} ${score === null ? text("no_score") : number(score)}`);
    mark(this.instant, "data-window-end-ms", String(window.end_ms));
    this.drawPin();
  }

  /** @param {number} ms */
  rowAt(ms) {
    const rows = this.occasion?.rows ?? [];
    return rows.reduce((best, row) => (Math.abs(row.end_ms - ms) < Math.abs(best.end_ms - ms) ? row : best), rows[0]);
  }

  /** Show the window nearest to an instant. @param {number|null} ms */
  pin(ms) {
    const windows = this.occasion?.windows ?? [];
    if (ms === null || !windows.length) return;
    const away = windows.map((each) => Math.abs(each.end_ms - ms));
    this.show(away.indexOf(Math.min(...away)));
  }

  drawPin() {
    const ms = this.occasion?.windows[this.at]?.end_ms ?? null;
    for (const trace of [this.score, this.current]) {
      if (!trace) continue;
      trace.pinMs = ms;
      trace.plot.redraw(false);
    }
  }

  draw() {
    const { occasion, occurrence } = this;
    if (!occasion || !this.score || this.isClosed) return;
    const { raised_ms: raised, cleared_ms: cleared, threshold: on, threshold_off: off } = occurrence;
    const span = [raised - BEFORE_MS, raised + AFTER_MS];
    const marks = [{ at_ms: raised, sign: `${sign(occurrence)} ${text("raised")}`, words: "", alarm: null }];
    if (cleared) marks.push({ at_ms: cleared, sign: text("gone"), words: "", alarm: null });
    this.score.show(occasion.rows, { on, off }, marks, span);
    this.current?.show(occasion.currents ?? { start_ms: span[0], step_ms: 500, phases: { a: [], b: [], c: [] } }, span);
    this.drawPin();
  }

  fit() {
    const width = Math.max(240, Math.floor(this.traces.clientWidth));
    this.score?.plot.setSize({ width, height: 200 });
    this.current?.plot.setSize({ width, height: 140 });
  }

  /** @param {number} by  windows */
  step(by) {
    const last = (this.occasion?.windows.length ?? 0) - 1;
    if (last >= 0) this.show(Math.min(last, Math.max(0, this.at + by)));
  }

  get plays() {
    return this.playing !== undefined;
  }

  play() {
    if (this.plays) return this.stop();
    const count = this.occasion?.windows.length ?? 0;
    if (count) this.playing = setInterval(() => this.show((this.at + 1) % count), PLAY_MS);
  }

  stop() {
    clearInterval(this.playing);
    this.playing = undefined;
  }

  setBare() {
    this.isBare = !this.isBare;
    this.picture?.setBare(this.isBare);
    this.strip.classList.toggle("bare", this.isBare);
  }

  close() {
    this.isClosed = true;
    this.stop();
    this.resized.disconnect();
    this.themed.disconnect();
    this.score?.plot.destroy();
    this.current?.plot.destroy();
  }
}
