/** What is known of the minute around a raise: from Kafka, or from what was kept of it. */

import { ask } from "./ask.js";

export const BEFORE_MS = 60_000;
export const AFTER_MS = 30_000;

/**
 * @typedef {{end_ms: number, score: number|null, status: number,
 *   frame: import("./picture.js").Frame|null, spot: import("./picture.js").Marked}} Window
 * @typedef {{windows: Window[], rows: import("./trace.js").Row[], currents: any, lack: string,
 *   isKept: boolean}} Occasion
 */

/** @param {any} occurrence  as `/occurrences` tells it @returns {Promise<Occasion>} */
export async function occasionOf(occurrence) {
  const { furnace, raised_ms: raised } = occurrence;
  const [since, until] = [raised - BEFORE_MS, raised + AFTER_MS];
  let lack = "";
  /** @param {string} what @param {number} from @param {number} to */
  const read = (what, from, to) =>
    ask(`furnaces/${furnace}/${what}?since=${from}&until=${to}`).catch((error) => {
      lack ||= error.message;
      return null;
    });
  const [before, after, currents] = await Promise.all([
    read("strip", since, raised), read("strip", raised + 1, until), read("currents", since, until),
  ]);
  /** @type {Window[]} */
  const windows = [...(before?.windows ?? []), ...(after?.windows ?? [])]
    .map((each) => ({ ...each, spot: each.spot ?? "none" }));
  if (windows.some((each) => each.frame)) {
    return { windows, rows: windows.map(rowOf), currents, lack: "", isKept: false };
  }
  return kept(occurrence.occurrence_id, { windows, rows: windows.map(rowOf), currents, lack, isKept: false });
}

/**
 * What was kept, in place of what Kafka no longer has.
 * @param {string} id @param {Occasion} known
 */
async function kept(id, known) {
  const where = `occurrences/${encodeURIComponent(id)}/evidence`;
  try {
    const found = await ask(where);
    const last = found.frames.length - 1;
    const windows = found.frames.map((/** @type {any} */ each, /** @type {number} */ index) => ({
      end_ms: each.at_ms, score: null, status: 0, spot: index === last ? found.spot ?? "none" : "unkept",
      frame: { ...each, address: `api/v1/${where}/${each.name}` },
    }));
    const rows = found.scores.rows.map((/** @type {any[]} */ [end_ms, low, high, status]) => ({ end_ms, low, high, status }));
    return {
      windows, rows: rows.length ? rows : known.rows, currents: found.currents ?? known.currents,
      lack: found.missing.join("; "), isKept: true,
    };
  } catch (error) {
    return { ...known, lack: /** @type {Error} */ (error).message || known.lack };
  }
}

/** @param {Window} window @returns {import("./trace.js").Row} */
function rowOf({ end_ms, score, status }) {
  return { end_ms, low: score, high: score, status };
}
