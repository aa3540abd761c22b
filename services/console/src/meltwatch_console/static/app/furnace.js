/** One furnace: what it looks like, its score and currents on one time axis, its alarms. */

import { openAlarmList } from "./alarm_list.js";
import { ask } from "./ask.js";
import { h, mark, say } from "./dom.js";
import { number } from "./evidence.js";
import { Films } from "./films.js";
import { openJournal } from "./furnace_journal.js";
import { missedEvent } from "./missed.js";
import { Picture, frameAddress } from "./picture.js";
import { membersLine, qualityWords } from "./quality.js";
import { clock, text } from "./text.js";
import { CurrentTrace, ScoreTrace, loadUplot } from "./trace.js";
import { shortName, unknown } from "./wording.js";

const SPANS = { "2 min": 120_000, "10 min": 600_000, "1 h": 3_600_000, "24 h": 86_400_000 };
const LOOKBACK_MS = 120_000;
const COARSE_MS = 60_000;
const PLAY_MS = 250;
const SETTLE_MS = 120;

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @param {string} id
 * @returns {import("./main.js").Page}
 */
export function openFurnace(root, site, id) {
  const view = new FurnacePage(root, site, id);
  view.start();
  return { name: shortName(id), key: (key) => view.key(key), close: () => view.close() };
}

class FurnacePage {
  /** @param {HTMLElement} root @param {import("./main.js").Site} site @param {string} id */
  constructor(root, site, id) {
    this.root = root;
    this.site = site;
    this.id = id;
    this.spanMs = SPANS["10 min"];
    /** The instant that somebody has chosen; null is now. @type {number|null} */
    this.pinnedMs = null;
    /** @type {number|null} */
    this.pointedMs = null;
    /** @type {import("./trace.js").Row[]} */
    this.rows = [];
    this.limits = { on: 0, off: 0 };
    /** @type {any} */
    this.currents = null;
    /** @type {any} */
    this.newest = null;
    this.films = new Films(id);
    this.shownEndMs = 0;
    this.isClosed = false;
    this.isLoading = false;
    this.scorePlace = h("div", { class: "plot", "data-trace": "score" });
    this.currentPlace = h("div", { class: "plot", "data-trace": "currents" });
    this.currentLack = h("p", { class: "q" });
    this.since = h("span", { class: "q" });
    this.traces = h("section", { class: "traces", "aria-label": text("traces") });
    this.ends = /** @type {(() => void)[]} */ ([]);
  }

  start() {
    this.build();
    const { store } = this.site;
    this.ends.push(store.listen((change) => this.hear(change)));
    const resized = new ResizeObserver(() => this.fit());
    resized.observe(this.traces);
    const themed = new MutationObserver(() => this.redraw());
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    this.ends.push(() => resized.disconnect(), () => themed.disconnect());
    loadUplot().then((uPlot) => {
      if (this.isClosed) return;
      const zone = this.site.me.time_zone;
      const point = (/** @type {number|null} */ ms) => this.point(ms);
      this.score = new ScoreTrace(uPlot, this.scorePlace, zone, point);
      this.current = new CurrentTrace(uPlot, this.currentPlace, zone, point);
      this.fit();
      this.load();
    });
  }

  build() {
    const { site, id } = this;
    this.picture = new Picture(id);
    this.film = h("ol", { class: "film", "aria-label": text("film") });
    this.mapKey = h("button", { "aria-pressed": "true", onclick: () => this.key("m") }, text("map_key"));
    this.playKey = h("button", { "aria-pressed": "false", onclick: () => this.key(" ") }, text("play_key"));
    this.liveKey = h("button", { disabled: true, onclick: () => this.pin(null) }, text("to_now"));
    this.instant = h("p", { class: "instant" });
    this.values = h("p", { class: "values" });
    this.scorePlace = h("div", { class: "plot", "data-trace": "score" });
    this.currentPlace = h("div", { class: "plot", "data-trace": "currents" });
    this.currentLack = h("p", { class: "q" });
    this.since = h("span", { class: "q" });
    this.quality = h("ul", { class: "quality" });
    const list = h("section", { class: "alarms", "aria-label": text("alarms") });
    const journal = h("section", { class: "journal", "aria-label": text("journal") });
    this.spanKeys = Object.entries(SPANS).map(([name, ms]) =>
      h("button", { class: "plain", "aria-pressed": String(ms === this.spanMs), onclick: () => this.setSpan(ms) }, name));
    this.traces = h(
      "section", { class: "traces", "aria-label": text("traces") },
      h("div", { class: "line" }, h("h3", {}, text("score_title")), ...this.spanKeys, this.since),
      this.scorePlace,
      h("div", { class: "line" }, h("h3", {}, text("currents_title")), this.currentLack),
      this.currentPlace,
      this.values,
    );
    this.root.className = "furnace";
    this.ways = h("span", { class: "end" });
    this.missed = missedEvent(site, id, () => this.pinnedMs);
    const review = h("a", { href: `#/review?${new URLSearchParams({ furnace: id })}` }, text("review_this"));
    this.root.append(
      h("div", { class: "line heading" },
        h("h2", {}, h("a", { href: "#/" }, text("plant")), ` / ${shortName(id)}`), review, this.missed.node, this.ways),
      h("div", { class: "look" },
        h("section", { class: "seen", "aria-label": text("camera") },
          this.instant, this.picture.node,
          h("p", { class: "buttons" }, this.mapKey, this.playKey, this.liveKey), this.film),
        h("div", { class: "told" }, list, this.traces)),
      h("section", { "aria-label": text("inputs") }, this.quality),
      journal,
    );
    this.alarms = openAlarmList(list, site, (alarm) => alarm.equipment_path === id, false);
    this.journal = openJournal(journal, id, () => this.draw());
    this.traces.addEventListener("click", () => this.pin(this.pointedMs));
    this.ends.push(this.alarms.close);
    this.showWays();
  }

  showWays() {
    const ids = [...this.site.store.furnaces.values()].map((each) => each.id).sort();
    const at = ids.indexOf(this.id);
    const step = (/** @type {number} */ by, /** @type {string} */ word) => {
      const to = at < 0 ? undefined : ids[at + by];
      return to ? h("a", { href: `#/f/${to}`, class: "button" }, text(word)) : null;
    };
    const found = [step(-1, "previous"), step(1, "next")].filter((each) => each !== null);
    this.ways?.replaceChildren(...found);
  }

  /** @param {import("./state.js").Change} change */
  hear(change) {
    const { store } = this.site;
    if (change.what === "alarm" && change.alarm?.equipment_path === this.id) this.journal?.load();
    const index = this.index();
    if (change.what === "snapshot" || (index !== undefined && change.indexes?.includes(index))) this.load();
    if (change.what === "snapshot" || change.what === "furnace") this.showWays();
    if (change.what === "tick") this.sayTrust(store.now());
  }

  index() {
    return [...this.site.store.furnaces.values()].find((each) => each.id === this.id)?.index;
  }

  get isCoarse() {
    return this.spanMs > SPANS["1 h"];
  }

  span() {
    const now = this.site.store.now();
    if (this.pinnedMs === null || this.pinnedMs > now - this.spanMs) return [now - this.spanMs, now];
    return [this.pinnedMs - this.spanMs / 2, this.pinnedMs + this.spanMs / 2];
  }

  async load() {
    if (this.isLoading || this.isClosed || !this.score) return;
    this.isLoading = true;
    try {
      await Promise.all([this.loadScores(), this.loadCurrents(), this.loadNewest()]);
      if (this.isClosed) return;
      this.draw();
      if (this.pinnedMs === null && this.pointedMs === null) await this.showAt(null);
    } finally {
      this.isLoading = false;
    }
  }

  async loadScores() {
    const [from] = this.span();
    const last = this.isCoarse ? undefined : this.rows[this.rows.length - 1]?.end_ms;
    const since = Math.floor(last === undefined ? from : last + 1);
    const step = this.isCoarse ? COARSE_MS : 0;
    const address = `furnaces/${this.id}/scores?since=${since}&step=${step}`;
    const found = await ask(address).catch(() => null);
    if (!found) return;
    const rows = found.rows.map((/** @type {any[]} */ row) => Object.fromEntries(row.map((value, i) => [found.columns[i], value])));
    this.rows = last === undefined ? rows : [...this.rows.filter((row) => row.end_ms >= from), ...rows];
    this.limits = { on: found.on, off: found.off };
    if (this.missed) this.missed.alarmId = found.alarm_id;
    const history = found.history_from_ms;
    say(this.since, history && history > from + 2_000 ? text("history_from", { time: clock(history) }) : "");
  }

  async loadCurrents() {
    const [from, to] = this.span();
    const until = Math.min(to, (this.pinnedMs ?? to) + this.spanMs, this.site.store.now());
    const since = Math.max(from, until - SPANS["10 min"]);
    const asked = (/** @type {number} */ start) =>
      ask(`furnaces/${this.id}/currents?since=${Math.floor(start)}&until=${Math.floor(until)}`);
    try {
      this.currents = await asked(since).catch(() => asked(Math.max(since, until - LOOKBACK_MS)));
      say(this.currentLack, "");
    } catch (error) {
      say(this.currentLack, /** @type {Error} */ (error).message);
    }
  }

  async loadNewest() {
    this.newest = await ask(`furnaces/${this.id}/newest`).catch(() => null);
    this.sayTrust(this.site.store.now());
  }

  /** @param {number} now */
  sayTrust(now) {
    const score = this.site.store.scores.get(this.index() ?? -1);
    const words = this.newest ? qualityWords(this.newest, now) : [];
    const lack = unknown(score, now);
    const nodes = (lack ? [h("li", { class: "lacks" }, lack)] : []).concat(
      words.map(({ name, value, limit, isOff }) =>
        h("li", { class: isOff ? "lacks" : "" }, h("b", {}, name), ` ${value} `, limit ? h("span", { class: "q" }, limit) : null)),
    );
    this.quality?.replaceChildren(...nodes);
    const models = membersLine(this.newest, this.limits.on);
    if (models) this.quality?.append(models);
  }

  draw() {
    if (!this.score || this.isClosed) return;
    const span = this.span();
    this.score.pinMs = this.pinnedMs;
    if (this.current) this.current.pinMs = this.pinnedMs;
    this.score.show(this.rows, this.limits, this.journal?.marks() ?? [], span);
    if (this.currents) this.current?.show(this.currents, span);
  }

  redraw() {
    this.score?.plot.redraw();
    this.current?.plot.redraw();
  }

  fit() {
    const width = Math.max(240, Math.floor(this.traces?.clientWidth ?? 0));
    if (this.score) this.score.plot.setSize({ width, height: 240 });
    if (this.current) this.current.plot.setSize({ width, height: 170 });
  }

  /** The cursor is at an instant, or has left. @param {number|null} ms */
  point(ms) {
    if (ms === this.pointedMs) return;
    this.pointedMs = ms;
    clearTimeout(this.settling);
    this.sayValues(ms ?? this.pinnedMs);
    this.settling = setTimeout(() => this.showAt(ms ?? this.pinnedMs), SETTLE_MS);
  }

  /** @param {number|null} ms */
  pin(ms) {
    this.pinnedMs = ms;
    mark(/** @type {HTMLElement} */ (this.liveKey), "disabled", ms === null ? "" : null);
    if (ms === null) this.pointedMs = null;
    this.draw();
    this.showAt(ms);
    this.loadCurrents().then(() => this.draw());
  }

  /** The window nearest to an instant. @param {number|null} ms */
  rowAt(ms) {
    if (ms === null) return this.rows[this.rows.length - 1];
    return this.rows.reduce(
      (best, row) => (Math.abs(row.end_ms - ms) < Math.abs(best.end_ms - ms) ? row : best), this.rows[0],
    );
  }

  /** Show the window's own frame, film and values. @param {number|null} ms */
  async showAt(ms) {
    const row = this.rowAt(ms);
    if (!row || this.isClosed) {
      this.picture?.showNothing(text("no_score"));
      return;
    }
    this.shownEndMs = row.end_ms;
    const film = await this.films.of(row.end_ms, row.high);
    if (this.isClosed || this.shownEndMs !== row.end_ms || this.playing) return;
    this.shown = film;
    this.showFilm(film);
    if (film.own) this.picture?.show(film.own, film.spot);
    else this.picture?.showNothing(film.lack || text("no_video"));
    say(/** @type {HTMLElement} */ (this.instant), ms === null
      ? text("picture_now", { time: clock(row.end_ms) }) : text("picture_at", { time: clock(row.end_ms) }));
    mark(/** @type {HTMLElement} */ (this.instant), "data-window-end-ms", String(row.end_ms));
    // Whoever points elsewhere meanwhile keeps the values of there.
    if (ms === (this.pointedMs ?? this.pinnedMs)) this.sayValues(ms ?? row.end_ms);
  }

  /** @param {{frames: import("./picture.js").Frame[]}} film */
  showFilm({ frames }) {
    const end = frames[frames.length - 1]?.at_ms ?? 0;
    const nodes = frames.map((frame, index) => {
      const age = ((frame.at_ms - end) / 1_000).toFixed(1).replace("-", "−");
      const label = index === frames.length - 1 ? clock(frame.at_ms) : `${age} s`;
      return h("li", {}, h("button", { class: "still", title: clock(frame.at_ms), onclick: () => this.pickFrame(frame) },
        h("img", { src: frameAddress(this.id, frame), alt: "", width: 48, height: 48, loading: "lazy" }), h("span", {}, label)));
    });
    this.film?.replaceChildren(...nodes);
  }

  /** @param {import("./picture.js").Frame} frame */
  pickFrame(frame) {
    this.picture?.show(frame, this.shown?.spot ?? "away");
  }

  /** Score and currents at an instant. @param {number|null} ms */
  sayValues(ms) {
    if (ms === null || !this.values) return;
    const row = this.rowAt(ms);
    const score = !row || row.high === null ? text("no_score") : number(row.high);
    const words = [clock(ms), `${text("score")} ${score}`];
    if (this.currents) {
      const { start_ms, step_ms, phases } = this.currents;
      const step = Math.floor((ms - start_ms) / step_ms);
      for (const name of ["a", "b", "c"]) {
        const value = phases[name][step];
        if (value !== undefined && value !== null) words.push(`${name} ${(value / 1_000).toFixed(2)} kA`);
      }
    }
    say(this.values, words.join("   "));
    mark(this.values, "data-at-ms", String(Math.round(ms)));
  }

  /** @param {number} ms */
  setSpan(ms) {
    this.spanMs = ms;
    this.rows = [];
    const names = Object.values(SPANS);
    this.spanKeys?.forEach((key, index) => mark(key, "aria-pressed", String(names[index] === ms)));
    this.load();
  }

  play() {
    if (this.playing) {
      clearInterval(this.playing);
      this.playing = undefined;
      this.showAt(this.pinnedMs);
    } else {
      let at = 0;
      this.playing = setInterval(() => {
        const frames = this.shown?.frames ?? [];
        if (frames.length) this.pickFrame(frames[(at += 1) % frames.length]);
      }, PLAY_MS);
    }
    mark(/** @type {HTMLElement} */ (this.playKey), "aria-pressed", String(Boolean(this.playing)));
  }

  /** @param {number} by  windows */
  step(by) {
    const from = this.rowAt(this.pinnedMs);
    const next = from && this.rows[this.rows.indexOf(from) + by];
    if (next) this.pin(next.end_ms);
  }

  /** @param {string} key @returns {boolean} */
  key(key) {
    const isInList = Boolean(document.activeElement?.closest(".rows"));
    if (key === "m") {
      const isBare = this.mapKey?.getAttribute("aria-pressed") === "true";
      this.picture?.setBare(isBare);
      mark(/** @type {HTMLElement} */ (this.mapKey), "aria-pressed", String(!isBare));
    } else if (key === " " && !document.activeElement?.matches("button, a, summary, .row")) this.play();
    else if (key === "ArrowLeft" && !isInList) this.step(-1);
    else if (key === "ArrowRight" && !isInList) this.step(1);
    else if (key === "Escape") {
      if (this.pinnedMs === null) location.hash = "#/";
      else this.pin(null);
    } else return this.alarms?.key(key) ?? false;
    return true;
  }

  close() {
    this.isClosed = true;
    clearInterval(this.playing);
    clearTimeout(this.settling);
    for (const end of this.ends) end();
    this.score?.plot.destroy();
    this.current?.plot.destroy();
  }
}
