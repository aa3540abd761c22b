/** The home page: areas and tiles on the left, the alarm list on the right. */

import { openAlarmList } from "./alarm_list.js";
import { h, mark, say } from "./dom.js";
import { text } from "./text.js";
import {
  classesOf, inOrder, isSelftest, isStanding, shortName, sign, stateWord, unknown,
} from "./wording.js";

const ONLY_ABNORMAL = "meltwatch-only-abnormal";
/** More furnaces than this get the small tiles. */
const MANY = 150;

/**
 * @typedef {{node: HTMLAnchorElement, furnace: import("./state.js").Furnace, shown: string}} Tile
 */

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @returns {import("./main.js").Page}
 */
export function openPlant(root, site) {
  const { store } = site;
  const areas = h("div", { class: "areas" });
  const only = h("button", { class: "plain", onclick: () => {
    if (isOnly()) localStorage.removeItem(ONLY_ABNORMAL);
    else localStorage.setItem(ONLY_ABNORMAL, "1");
    showOnly();
  } });
  const list = h("section", { class: "alarms", "aria-label": text("alarms") });
  const map = h("section", { class: "plant", "aria-label": text("plant") },
    h("h2", {}, text("plant"), " ", only), areas);
  root.className = "home";
  root.append(map, list);

  /** @type {Map<number, Tile>} */
  let tiles = new Map();
  /** @type {Map<string, {words: HTMLElement, indexes: number[]}>} */
  let groups = new Map();
  /** @type {Tile[]} in the order that arrows go */
  let order = [];
  /** For which furnaces there are tiles. */
  let built = "";

  function isOnly() {
    const narrow = matchMedia("(max-width: 600px)").matches;
    return narrow || localStorage.getItem(ONLY_ABNORMAL) !== null;
  }

  function showOnly() {
    map.classList.toggle("only", isOnly());
    mark(only, "aria-pressed", String(isOnly()));
    say(only, text("only_abnormal"));
  }

  /** Make every tile; their place never changes after that, and a focus on one stays. */
  function build() {
    const wanted = [...store.furnaces.values()].map((each) => `${each.index} ${each.id}`).join("\n");
    if (wanted === built) {
      for (const tile of tiles.values()) tile.furnace = store.furnaces.get(tile.furnace.index) ?? tile.furnace;
      showAll();
      return;
    }
    const focused = order.find(({ node }) => node === document.activeElement)?.furnace.id;
    built = wanted;
    tiles = new Map();
    groups = new Map();
    order = [];
    const furnaces = [...store.furnaces.values()].sort((a, b) => a.id.localeCompare(b.id, "en"));
    furnaces.sort((a, b) => Number(isSelftest(a.id)) - Number(isSelftest(b.id)));
    map.classList.toggle("many", furnaces.length > MANY);
    const sections = new Map();
    for (const furnace of furnaces) {
      const name = isSelftest(furnace.id) ? "selftest" : furnace.id.split("/").slice(0, -1).join("/");
      if (!sections.has(name)) {
        const words = h("span", { class: "q" });
        const holder = h("ul", { class: "tiles" });
        sections.set(name, holder);
        groups.set(name, { words, indexes: [] });
        const label = name === "selftest" ? text("selftest_area") : furnace.area;
        holder.setAttribute("aria-label", label);
        areas_.push(h("section", { class: "area" }, h("h3", { title: name }, `${label} `, words), holder));
      }
      groups.get(name)?.indexes.push(furnace.index);
      const node = /** @type {HTMLAnchorElement} */ (
        h("a", { href: `#/f/${furnace.id}`, tabindex: "-1", class: "tile" })
      );
      const tile = { node, furnace, shown: "" };
      tiles.set(furnace.index, tile);
      order.push(tile);
      sections.get(name).append(h("li", {}, node));
    }
    areas.replaceChildren(...areas_.splice(0));
    const stop = order.find(({ furnace }) => furnace.id === focused) ?? order[0];
    if (stop) stop.node.tabIndex = 0;
    if (focused) stop?.node.focus();
    showAll();
  }
  /** @type {HTMLElement[]} */
  const areas_ = [];

  /** The worst alarm of each furnace, as the alarms were last. @type {Map<string, any>} */
  let standing = new Map();

  /** The worst alarm of each furnace. */
  function worst() {
    /** @type {Map<string, any>} */
    const found = new Map();
    for (const alarm of store.alarms.values()) {
      if (!isStanding(alarm)) continue;
      const other = found.get(alarm.equipment_path);
      if (!other || byPriority(alarm, other) < 0) found.set(alarm.equipment_path, alarm);
    }
    return found;
  }

  function showAll() {
    standing = worst();
    showTiles(tiles.values());
    for (const { words, indexes } of groups.values()) showGroup(words, indexes);
  }

  /** Alarms are as they were: what is known of these furnaces may not be. @param {Iterable<Tile>} these */
  function showTiles(these) {
    const now = store.now();
    for (const tile of these) showTile(tile, standing.get(tile.furnace.id), now);
  }

  /** @param {HTMLElement} words @param {number[]} indexes */
  function showGroup(words, indexes) {
    const alarms = indexes.map((each) => standing.get(tiles.get(each)?.furnace.id ?? "")).filter(Boolean);
    const top = alarms.sort(byPriority)[0];
    const n = text("furnaces", { n: indexes.length });
    say(words, top ? text("area_worst", { n, sign: sign(top), alarms: alarms.length }) : n);
  }

  /** @param {Tile} tile @param {any} alarm @param {number} now */
  function showTile(tile, alarm, now) {
    const { furnace, node } = tile;
    const lack = unknown(store.scores.get(furnace.index), now);
    const shown = `${alarm?.event_id ?? ""}|${lack}|${furnace.registered}`;
    if (shown === tile.shown) return;
    tile.shown = shown;
    const name = furnace.id.split("/").pop() ?? furnace.id;
    const words = [lack, furnace.registered ? "" : text("unregistered")].filter(Boolean).join(", ");
    node.className = `tile${alarm ? ` ${classesOf(alarm)}` : ""}${lack ? " blind" : ""}`;
    node.replaceChildren(
      ...(alarm ? [h("b", {}, sign(alarm))] : []),
      h("span", { class: "name" }, map.classList.contains("many") ? digits(name) : name),
      ...(words ? [h("span", { class: "lack" }, words)] : []),
    );
    const state = alarm ? `${text(alarm.priority)}, ${stateWord(alarm, now)}, ${alarm.title}` : text("normal");
    mark(node, "aria-label", [shortName(furnace.id), lack && !alarm ? "" : state, words].filter(Boolean).join(", "));
    node.title = node.getAttribute("aria-label") ?? "";
  }

  areas.addEventListener("keydown", (event) => {
    const here = order.findIndex((tile) => tile.node === event.target);
    const next = here < 0 ? undefined : neighbour(here, event.key);
    if (!next) return;
    event.preventDefault();
    order[here].node.tabIndex = -1;
    next.node.tabIndex = 0;
    next.node.focus();
  });

  /** @param {number} here @param {string} key @returns {Tile|undefined} */
  function neighbour(here, key) {
    const seen = order.filter((tile) => tile.node.offsetParent !== null);
    const at = seen.indexOf(order[here]);
    if (key === "ArrowRight") return seen[at + 1];
    if (key === "ArrowLeft") return seen[at - 1];
    if (key === "Home") return seen[0];
    if (key === "End") return seen[seen.length - 1];
    if (key !== "ArrowDown" && key !== "ArrowUp") return undefined;
    const from = order[here].node.getBoundingClientRect();
    const step = key === "ArrowDown" ? 1 : -1;
    const side = (/** @type {Tile} */ tile) => (tile.node.getBoundingClientRect().top - from.top) * step;
    const rows = seen.filter((tile) => side(tile) > 2);
    if (!rows.length) return undefined;
    const nearest = Math.min(...rows.map(side));
    const off = (/** @type {Tile} */ tile) => Math.abs(tile.node.getBoundingClientRect().left - from.left);
    return rows.filter((tile) => side(tile) < nearest + 2).sort((a, b) => off(a) - off(b))[0];
  }

  const alarms = openAlarmList(list, site, () => true, true);
  const end = store.listen(({ what, indexes = [] }) => {
    if (what === "snapshot" || what === "furnace") build();
    else if (what === "scores") showTiles(indexes.flatMap((index) => tiles.get(index) ?? []));
    else if (what === "tick") showTiles(tiles.values());
    else if (what === "alarm") showAll();
  });
  showOnly();
  build();
  return { name: text("plant"), key: alarms.key, close: () => { end(); alarms.close(); } };
}

/** By priority before acknowledgement: what stands on a tile. @param {any} a @param {any} b */
function byPriority(a, b) {
  return a.severity === b.severity ? inOrder(a, b) : b.severity - a.severity;
}

/** The digits at a name's end, which small tiles have room for. @param {string} name */
function digits(name) {
  return name.match(/\d+$/)?.[0] ?? name.slice(-3);
}
