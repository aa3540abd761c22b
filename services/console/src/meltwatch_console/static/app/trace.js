/** Traces on one time axis with one cursor: uPlot, drawn in greys. */

import { h } from "./dom.js";
import { HOP_MS, NO_CURRENT, NO_VIDEO, UNSCORED } from "./state.js";
import { clock, moment, text } from "./text.js";

const SCRIPT = "vendor/uPlot-1.6.32.iife.min.js";
const STYLE = "vendor/uPlot-1.6.32.min.css";
const CURSOR = "furnace";
const DASHES = { a: [], b: [9, 4], c: [2, 3] };
const FONT = "12px system-ui, sans-serif";

/**
 * @typedef {{end_ms: number, low: number|null, high: number|null, status: number}} Row
 * @typedef {{at_ms: number, sign: string, words: string, alarm: any}} Mark
 */

/** @type {Promise<any>|undefined} */
let loading;

/** uPlot comes when the first trace is opened. @returns {Promise<any>} */
export function loadUplot() {
  loading ??= new Promise((done, failed) => {
    document.head.append(h("link", { rel: "stylesheet", href: STYLE }));
    const script = h("script", { src: SCRIPT, onload: () => done(Reflect.get(window, "uPlot")), onerror: failed });
    document.head.append(script);
  });
  return loading;
}

/** A colour of the page as it is now: the theme may change. @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** @param {string} zone @param {any} uPlot */
function dates(zone, uPlot) {
  return (/** @type {number} */ seconds) => uPlot.tzDate(new Date(seconds * 1_000), zone);
}

/** What both traces have in common. @param {any} uPlot @param {string} zone @param {(ms: number|null) => void} onCursor */
function common(uPlot, zone, onCursor) {
  const axis = {
    stroke: () => colour("quiet"), grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { stroke: () => colour("line"), width: 1 }, font: FONT,
  };
  return {
    width: 600,
    padding: [6, 22, 0, 0],
    tzDate: dates(zone, uPlot),
    legend: { show: false },
    cursor: {
      sync: { key: CURSOR, setSeries: false }, drag: { x: false, y: false }, y: false, points: { show: false },
    },
    axes: [
      {
        ...axis, space: 90,
        values: (/** @type {any} */ _, /** @type {number[]} */ splits) => splits.map((each) => clock(each * 1_000)),
      },
      { ...axis, size: 52 },
    ],
    hooks: {
      setCursor: [
        (/** @type {any} */ plot) => {
          const { left } = plot.cursor;
          const ms = left === null || left < 0 ? null : plot.posToVal(left, "x") * 1_000;
          onCursor(Number.isFinite(ms) ? ms : null); // without data there is no axis
        },
      ],
    },
  };
}

/** Hatch a stretch and say why. @param {any} plot @param {number} fromS @param {number} toS @param {string} words */
function hatch(plot, fromS, toS, words) {
  const { ctx, bbox } = plot;
  const left = Math.max(plot.valToPos(fromS, "x", true), bbox.left);
  const right = Math.min(plot.valToPos(toS, "x", true), bbox.left + bbox.width);
  if (right <= left) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour("line");
  ctx.lineWidth = devicePixelRatio;
  ctx.globalAlpha = 0.5;
  ctx.beginPath();
  for (let x = left - bbox.height; x < right; x += 9 * devicePixelRatio) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.globalAlpha = 1;
  ctx.fillStyle = colour("text");
  ctx.font = scaledFont();
  ctx.textAlign = "left";
  if (right - left > ctx.measureText(words).width) ctx.fillText(words, left + 4, bbox.top + bbox.height - 8);
  ctx.restore();
}

function scaledFont() {
  return `${12 * devicePixelRatio}px system-ui, sans-serif`;
}

/** @param {any} plot @param {number} value @param {number[]} dash @param {string} words @param {number} down  of the words, pixels */
function limit(plot, value, dash, words, down) {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(value, "y", true);
  if (y < bbox.top || y > bbox.top + bbox.height) return;
  ctx.save();
  ctx.strokeStyle = colour("text");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash(dash.map((each) => each * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.fillStyle = colour("text");
  ctx.font = scaledFont();
  ctx.textAlign = "left";
  ctx.fillText(words, bbox.left + 6, y + down * devicePixelRatio);
  ctx.restore();
}

/** The instant that somebody has chosen. @param {any} plot @param {number|null} ms */
function pin(plot, ms) {
  if (ms === null) return;
  const { ctx, bbox } = plot;
  const x = plot.valToPos(ms / 1_000, "x", true);
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.save();
  ctx.fillStyle = colour("text");
  ctx.fillRect(x - 1.5 * devicePixelRatio, bbox.top, 3 * devicePixelRatio, bbox.height);
  ctx.restore();
}

/** @param {number} status */
function lacks(status) {
  if (status & NO_VIDEO) return text(status & NO_CURRENT ? "no_data" : "no_video");
  if (status & NO_CURRENT) return text("no_current");
  return status & UNSCORED ? text("not_judged") : "";
}

/** Stretches of rows that lack the same. @param {Row[]} rows */
export function lackingSpans(rows) {
  /** @type {{from: number, to: number, words: string}[]} */
  const spans = [];
  for (const [index, row] of rows.entries()) {
    const words = lacks(row.status);
    const last = spans[spans.length - 1];
    const from = rows[index - 1]?.end_ms ?? row.end_ms - HOP_MS;
    if (!words) continue;
    if (last && last.words === words && last.to === from) last.to = row.end_ms;
    else spans.push({ from, to: row.end_ms, words });
  }
  return spans;
}

/** The score with its limits, and when alarms were raised, seen and gone. */
export class ScoreTrace {
  /** @param {any} uPlot @param {HTMLElement} root @param {string} zone @param {(ms: number|null) => void} onCursor */
  constructor(uPlot, root, zone, onCursor) {
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {{on: number|null, off: number|null}}  null where no score is judged */
    this.limits = { on: 0, off: 0 };
    /** @type {number|null} */
    this.pinMs = null;
    const options = common(uPlot, zone, onCursor);
    const line = { stroke: () => colour("trace"), width: 2, spanGaps: false };
    this.plot = new uPlot(
      {
        ...options,
        height: 240,
        series: [{}, { ...line, label: "low" }, { ...line, label: "high" }],
        bands: [{ series: [2, 1], fill: () => `${colour("trace")}55` }],
        scales: { y: { range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => this.range(low, high) } },
        hooks: { ...options.hooks, draw: [(/** @type {any} */ plot) => this.draw(plot)] },
      },
      [[], [], []],
      root,
    );
  }

  /** @param {number} low @param {number} high */
  range(low, high) {
    const on = this.limits.on ?? low ?? 0;
    const off = this.limits.off ?? on;
    const least = Math.min(low ?? off, off);
    const most = Math.max(high ?? on, on);
    const air = Math.max((most - least) * 0.12, 0.5);
    return [least - air, most + air];
  }

  /** @param {Row[]} rows @param {{on: number|null, off: number|null}} limits @param {Mark[]} marks @param {number[]} span ms */
  show(rows, limits, marks, span) {
    this.rows = rows;
    this.limits = limits;
    this.marks = marks;
    const seconds = rows.map((row) => row.end_ms / 1_000);
    this.plot.batch(() => {
      this.plot.setData([seconds, rows.map((row) => row.low), rows.map((row) => row.high)], false);
      this.plot.setScale("x", { min: span[0] / 1_000, max: span[1] / 1_000 });
    });
  }

  /** @param {any} plot */
  draw(plot) {
    for (const { from, to, words } of lackingSpans(this.rows)) hatch(plot, from / 1_000, to / 1_000, words);
    const { on, off } = this.limits;
    if (on !== null) limit(plot, on, [8, 5], text("alarm_from", { on: on.toFixed(1) }), -5);
    if (off !== null) limit(plot, off, [2, 5], text("clears_below", { off: off.toFixed(1) }), 15);
    pin(plot, this.pinMs);
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.font = scaledFont();
    ctx.textAlign = "center";
    let free = bbox.left;
    for (const { at_ms, sign } of [...this.marks].sort((a, b) => a.at_ms - b.at_ms)) {
      const x = plot.valToPos(at_ms / 1_000, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = ctx.fillStyle = colour("text");
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const wide = ctx.measureText(sign).width + 6 * devicePixelRatio;
      if (x - wide / 2 < free) continue; // its line tells; the journal has the words
      free = x + wide / 2;
      ctx.fillStyle = colour("panel");
      ctx.fillRect(x - wide / 2, bbox.top, wide, 16 * devicePixelRatio);
      ctx.fillStyle = colour("text");
      ctx.fillText(sign, x, bbox.top + 12 * devicePixelRatio);
    }
    ctx.restore();
  }
}

/** The scores of two backtests: the first wide and pale, the second narrow. */
export class PairTrace {
  /** @param {any} uPlot @param {HTMLElement} root @param {string} zone */
  constructor(uPlot, root, zone) {
    const options = common(uPlot, zone, () => {});
    const line = { spanGaps: false };
    this.plot = new uPlot(
      {
        ...options,
        width: root.clientWidth || 600,
        height: 240,
        axes: [{ ...options.axes[0], values: instants }, options.axes[1]],
        series: [
          {},
          { ...line, label: "a", stroke: () => colour("line"), width: 5 },
          { ...line, label: "b", stroke: () => colour("text"), width: 1.5 },
        ],
      },
      [[], [], []],
      root,
    );
    this.watch = new ResizeObserver(() => this.plot.setSize({ width: root.clientWidth, height: 240 }));
    this.watch.observe(root);
  }

  /** @param {number[][]} a @param {number[][]} b  columns `[end_ms, low, high]`: peaks count */
  show(a, b) {
    const sides = [withGaps(a), withGaps(b)];
    const times = [...new Set(sides.flatMap((side) => [...side.keys()]))].sort((one, other) => one - other);
    // What one of them has no column for is undefined: the line goes on; null breaks it.
    const values = sides.map((side) => times.map((end) => side.get(end)));
    this.plot.setData([times.map((end) => end / 1_000), ...values]);
  }

  close() {
    this.watch.disconnect();
    this.plot.destroy();
  }
}

/** The highest score by time; where columns are missing, null says so. @param {number[][]} rows */
function withGaps(rows) {
  /** @type {Map<number, number|null>} */
  const found = new Map();
  const steps = rows.slice(1).map(([end], index) => end - rows[index][0]).sort((a, b) => a - b);
  const most = 3 * Math.max(steps[steps.length >> 1] ?? 0, HOP_MS);
  for (const [index, [end, , high]] of rows.entries()) {
    const before = rows[index - 1]?.[0];
    if (before !== undefined && end - before > most) found.set(before + 1, null);
    found.set(end, high);
  }
  return found;
}

/** Instants with the day where it changes. @param {any} _ @param {number[]} seconds */
function instants(_, seconds) {
  return seconds.map((each, index) => moment(each * 1_000, (seconds[index - 1] ?? 0) * 1_000));
}

/** Three phases, told apart by dash and by a letter at the end of each line. */
export class CurrentTrace {
  /** @param {any} uPlot @param {HTMLElement} root @param {string} zone @param {(ms: number|null) => void} onCursor */
  constructor(uPlot, root, zone, onCursor) {
    /** @type {number|null} */
    this.pinMs = null;
    const options = common(uPlot, zone, onCursor);
    const series = Object.entries(DASHES).map(([label, dash]) => ({
      label, stroke: () => colour("trace"), width: 1.5, dash, spanGaps: false,
    }));
    this.plot = new uPlot(
      {
        ...options,
        height: 170,
        series: [{}, ...series],
        hooks: { ...options.hooks, draw: [letters, (/** @type {any} */ plot) => pin(plot, this.pinMs)] },
      },
      [[], [], [], []],
      root,
    );
  }

  /** @param {{start_ms: number, step_ms: number, phases: Object<string, (number|null)[]>}} currents @param {number[]} span ms */
  show(currents, span) {
    const { start_ms, step_ms, phases } = currents;
    const seconds = phases.a.map((_, step) => (start_ms + (step + 1) * step_ms) / 1_000);
    const kilo = ["a", "b", "c"].map((name) => phases[name].map((each) => (each === null ? null : each / 1_000)));
    this.plot.batch(() => {
      this.plot.setData([seconds, ...kilo], false);
      this.plot.setScale("x", { min: span[0] / 1_000, max: span[1] / 1_000 });
    });
  }
}

/** @param {any} plot */
function letters(plot) {
  const { ctx, data, bbox } = plot;
  ctx.save();
  ctx.font = `bold ${scaledFont()}`;
  ctx.fillStyle = colour("text");
  ctx.textAlign = "left";
  /** @type {number[]} */
  const taken = [];
  for (const [index, name] of ["a", "b", "c"].entries()) {
    const values = data[index + 1];
    let last = values.length - 1;
    while (last >= 0 && values[last] === null) last -= 1;
    if (last < 0) continue;
    const x = Math.min(plot.valToPos(data[0][last], "x", true), bbox.left + bbox.width) + 6 * devicePixelRatio;
    let y = plot.valToPos(values[last], "y", true) + 4;
    while (taken.some((each) => Math.abs(each - y) < 12 * devicePixelRatio)) y += 12 * devicePixelRatio;
    taken.push(y);
    ctx.fillText(name, x, y);
  }
  ctx.restore();
}
