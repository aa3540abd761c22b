/** The frames of a window and what its map marks: asked for once, kept for a while. */

import { ask } from "./ask.js";
import { HOP_MS } from "./state.js";

const KEPT = 40;
/** No window below this score has a map. */
const MAP_FROM = -1.4;

/**
 * The ten frames up to a window's end. `own` is the window's own, null where it has none: an older
 * one is no picture of it. A map is a spot, possibly of no cells; `none` where the window was given
 * none, `away` where it could not be fetched.
 * @typedef {import("./picture.js").Frame} Frame
 * @typedef {{frames: Frame[], own: Frame|null, spot: import("./picture.js").Marked, lack: string}} Film
 */

export class Films {
  /** @param {string} furnaceId */
  constructor(furnaceId) {
    this.furnaceId = furnaceId;
    /** @type {Map<number, Film>} */
    this.known = new Map();
  }

  /** @param {number} endMs @param {number|null|undefined} score @returns {Promise<Film>} */
  async of(endMs, score) {
    const known = this.known.get(endMs);
    if (known) return known;
    let lack = "";
    const where = `furnaces/${this.furnaceId}`;
    const hasMap = typeof score === "number" && score > MAP_FROM;
    const [frames, spot] = await Promise.all([
      ask(`${where}/frames?at=${endMs}`).then((found) => found.frames).catch((error) => {
        lack = error.message;
        return [];
      }),
      hasMap ? ask(`${where}/maps/${endMs}`).catch(() => "away") : "none",
    ]);
    const last = frames[frames.length - 1];
    const own = last && endMs - last.window_end_ms < HOP_MS ? last : null;
    const film = { frames, own, spot, lack };
    if (own && spot !== "away") this.known.set(endMs, film);
    if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value ?? 0);
    return film;
  }
}
