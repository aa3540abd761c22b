/**
 * What the page knows: fed by the stream, read by the pages. Nothing is judged here.
 *
 * @typedef {{index: number, id: string, area: string, registered: boolean}} Furnace
 * @typedef {{score: number|null, flags: number, endMs: number}} Score
 * @typedef {{state: "live"|"stale"|"no_manager", age_s: number, reason: string}} Link
 * @typedef {Object<string, any>} Alarm  an alarm record as on the topic
 * @typedef {{what: "snapshot"|"scores"|"alarm"|"furnace"|"link"|"beat"|"tick", alarm?: Alarm,
 *   before?: Alarm, indexes?: number[]}} Change
 */

/** Bits of a score's flags. */
export const NO_VIDEO = 1;
export const NO_CURRENT = 2;
export const UNSCORED = 4;
export const BACK_FILL = 8;
/** From the end of a furnace's window to the end of its next, ms. */
export const HOP_MS = 1_440;
/** A score older than this is old, ms. */
export const OLD_MS = 15_000;
/** Nothing was heard of the console for this long: the page is stale, ms. */
export const SILENT_MS = 15_000;

/** The furnaces, alarms and scores as the stream has told them. */
export class Store {
  constructor() {
    /** @type {Map<number, Furnace>} */
    this.furnaces = new Map();
    /** @type {Map<string, Alarm>} */
    this.alarms = new Map();
    /** @type {Map<number, Score>} */
    this.scores = new Map();
    /** @type {Link} */
    this.link = { state: "stale", age_s: 0, reason: "" };
    this.heardMs = 0;
    this.nowMs = 0;
    /** How far the console's clock is before this browser's, ms. */
    this.aheadMs = 0;
    this.isWhole = false;
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
  }

  /**
   * @param {(change: Change) => void} listener
   * @returns {() => void} ends it
   */
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** @param {Change} change */
  tell(change) {
    for (const listener of this.listeners) listener(change);
  }

  /** The console's wall clock, ms: ages and time left count by it. */
  now() {
    return Date.now() + this.aheadMs;
  }

  /** A second has passed. @param {number} nowMs */
  tick(nowMs) {
    this.nowMs = nowMs;
    this.tell({ what: "tick" });
  }

  /** For how long nothing was heard of the console, whole seconds. */
  get silentS() {
    return Math.floor((this.nowMs - this.heardMs) / 1_000);
  }

  /** What the page says of its data. @returns {Link} */
  get trust() {
    if (!this.isWhole) return { state: "stale", age_s: this.silentS, reason: "" };
    if (this.nowMs - this.heardMs < SILENT_MS) return this.link;
    return { state: "stale", age_s: this.silentS, reason: "" };
  }

  /**
   * Take one event of the stream.
   * @param {string} event
   * @param {any} data
   * @param {number} nowMs  of a clock that never steps
   */
  take(event, data, nowMs) {
    this.heardMs = this.nowMs = nowMs;
    if (data.now_ms) this.aheadMs = data.now_ms - Date.now();
    if (event === "snapshot") this.takeSnapshot(data);
    else if (event === "scores") this.takeScores(data);
    else if (event === "alarm") this.takeAlarm(data);
    else if (event === "furnace") {
      this.furnaces.set(data.index, data);
      this.tell({ what: "furnace" });
    } else if (event === "link") {
      this.link = data;
      this.tell({ what: "link" });
    } else if (event === "heartbeat") {
      this.link = data.link;
      this.tell({ what: "beat" });
    }
  }

  /** @param {any} data */
  takeSnapshot(data) {
    this.furnaces = new Map(data.furnaces.map((/** @type {Furnace} */ each) => [each.index, each]));
    // A console that is still reading the alarms knows fewer than stand.
    if (data.whole) this.alarms = new Map(data.alarms.map((/** @type {Alarm} */ each) => [each.alarm_id, each]));
    this.scores = new Map();
    this.link = data.link;
    for (const [index, endMs, score, flags] of data.scores) {
      this.scores.set(index, { score: tenth(score), flags, endMs });
    }
    this.isWhole ||= data.whole;
    this.tell({ what: "snapshot" });
  }

  /** A row without a time is of the window after the one before. @param {any[]} rows */
  takeScores(rows) {
    for (const [index, score, flags, told] of rows) {
      const before = this.scores.get(index);
      const endMs = told ?? (before && before.endMs + HOP_MS);
      if (endMs !== undefined) this.scores.set(index, { score: tenth(score), flags, endMs });
    }
    this.tell({ what: "scores", indexes: rows.map((row) => row[0]) });
  }

  /**
   * An answer to a command may carry a newer record than the stream has brought.
   * @param {Alarm} alarm
   */
  takeAlarm(alarm) {
    const before = this.alarms.get(alarm.alarm_id);
    if (before && !alarm.removed && !isNewer(alarm, before)) return;
    if (alarm.state === "NORM") this.alarms.delete(alarm.alarm_id);
    else this.alarms.set(alarm.alarm_id, alarm);
    this.tell({ what: "alarm", alarm, before });
  }
}

/** @param {number|null} score */
function tenth(score) {
  return score === null ? null : score / 10;
}

/** @param {Alarm} alarm @param {Alarm} than */
export function isNewer(alarm, than) {
  return alarm.epoch > than.epoch || (alarm.epoch === than.epoch && alarm.seq > than.seq);
}
