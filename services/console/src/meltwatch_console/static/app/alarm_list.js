/** The alarm list: not acknowledged first, the first row open, nothing moves what has the focus. */

import { AlarmPicture } from "./alarm_picture.js";
import { askComment, askShelving, showHelp } from "./dialogs.js";
import { h, mark, say } from "./dom.js";
import { fillEvidence } from "./evidence.js";
import { moment, span, text } from "./text.js";
import {
  classesOf, inOrder, isStanding, isUnacknowledged, shortName, sign, stateWord,
} from "./wording.js";

const FLOOD_MS = 600_000;
const FLOOD = 10;

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @param {(alarm: any) => boolean} belongs
 * @param {boolean} hasPictures  of the open row; a furnace's own page has a larger one
 */
export function openAlarmList(root, site, belongs, hasPictures) {
  const { store, desk } = site;
  const waiting = h("span", { class: "q" });
  const find = /** @type {HTMLInputElement} */ (
    h("input", { type: "search", placeholder: text("find"), "aria-label": text("find"), oninput: show })
  );
  const above = h("button", { class: "above", hidden: true, onclick: () => {
    rowsOf()[0]?.focus();
    root.scrollTo({ top: 0 });
  } });
  const said = h("p", { role: "status", class: "said" });
  const list = h("ol", { class: "rows" });
  const none = h("p", { class: "q none" });
  root.append(h("h2", {}, `${text("alarms")} `, waiting, find), above, said, list, none);

  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** The row that somebody has chosen; the first is open without a choice. @type {string} */
  let chosen = "";
  /** @type {Set<string>} */
  let selected = new Set();
  /** How many were above the focus when it came. */
  let aboveThen = 0;
  let obstacle = "";

  function rowsOf() {
    return /** @type {HTMLElement[]} */ ([...list.children]);
  }

  function standing() {
    const wanted = find.value.trim().toLowerCase();
    return [...store.alarms.values()].filter(
      (each) => isStanding(each) && belongs(each)
        && (!wanted || `${each.equipment_path} ${each.title}`.toLowerCase().includes(wanted)),
    );
  }

  /** In a flood by area, each area where its first alarm is. @param {any[]} alarms */
  function arranged(alarms) {
    alarms.sort(inOrder);
    const now = store.now();
    const fresh = alarms.filter((each) => now - raisedMs(each) < FLOOD_MS);
    if (fresh.length <= FLOOD) return { alarms, firstOut: "" };
    const first = fresh.reduce((a, b) => (raisedMs(b) < raisedMs(a) ? b : a));
    const areas = [...new Set(alarms.map(areaOf))];
    const place = new Map(areas.map((area, number) => [area, number]));
    alarms.sort((a, b) =>
      Number(isUnacknowledged(b)) - Number(isUnacknowledged(a))
      || (place.get(areaOf(a)) ?? 0) - (place.get(areaOf(b)) ?? 0)
      || inOrder(a, b));
    return { alarms, firstOut: first.alarm_id };
  }

  function show() {
    const { alarms, firstOut } = arranged(standing());
    const open = alarms.some((each) => each.alarm_id === chosen) ? chosen : alarms[0]?.alarm_id;
    const nodes = alarms.map((alarm) => {
      const known = rows.get(alarm.alarm_id) ?? new Row(site, act, hasPictures);
      rows.set(alarm.alarm_id, known);
      known.show(alarm, {
        isOpen: alarm.alarm_id === open, isFirstOut: alarm.alarm_id === firstOut, obstacle,
        isSelected: selected.has(alarm.alarm_id),
      });
      return known.node;
    });
    for (const [id, row] of rows) {
      if (nodes.includes(row.node)) continue;
      rows.delete(id);
      if (row.node.contains(document.activeElement)) (nodes[0] ?? root).focus();
      row.node.remove();
    }
    place(list, nodes);
    const n = alarms.filter(isUnacknowledged).length;
    say(waiting, text("to_acknowledge", { n }));
    say(none, alarms.length ? "" : text(store.isWhole ? "no_alarms" : "reading"));
    showAbove();
    for (const [number, node] of nodes.entries()) {
      mark(node, "tabindex", node === focused() || (!focused() && number === 0) ? "0" : "-1");
    }
  }

  /** The row that has the focus, or holds it. */
  function focused() {
    return rowsOf().find((node) => node.contains(document.activeElement));
  }

  function showAbove() {
    const node = focused();
    const count = node ? rowsOf().indexOf(node) - aboveThen : 0;
    above.hidden = count <= 0;
    if (count > 0) say(above, text("new_above", { n: count }));
  }

  /** @param {HTMLElement} node */
  function rowOf(node) {
    return [...rows.values()].find((row) => row.node === node);
  }

  function current() {
    const node = focused() ?? rowsOf().find((each) => each.classList.contains("open"));
    return node && rowOf(node)?.alarm;
  }

  /** @param {string} command @param {any} alarm */
  async function act(command, alarm) {
    if (command === "shelve" || command === "comment") {
      const title = `${text(command)}: ${shortName(alarm.equipment_path)} ${alarm.title}`;
      if (command === "comment") {
        const comment = await askComment(title);
        if (comment !== null) say(said, await desk.ask(alarm, "comment", { comment }));
        return;
      }
      const given = await askShelving(title);
      if (given) say(said, await desk.ask(alarm, "shelve", { arguments: given }));
      return;
    }
    const chosenOnes = [...selected].map((id) => store.alarms.get(id)).filter(Boolean);
    const many = command === "ack" && selected.has(alarm.alarm_id) ? chosenOnes : [alarm];
    selected = new Set();
    say(said, await desk.askEach(many, command));
    show();
  }

  /** @param {number} step @param {boolean} extends_ */
  function move(step, extends_) {
    const all = rowsOf();
    const here = focused();
    const next = all[here ? all.indexOf(here) + step : 0];
    if (!next) return;
    const alarm = rowOf(next)?.alarm;
    const from = here && rowOf(here)?.alarm;
    if (extends_ && from) selected.add(from.alarm_id).add(alarm.alarm_id);
    else selected = new Set();
    next.focus();
  }

  list.addEventListener("focusin", () => {
    const node = focused();
    const alarm = node && rowOf(node)?.alarm;
    if (!node || !alarm) return;
    aboveThen = rowsOf().indexOf(node);
    if (chosen === alarm.alarm_id && !selected.size) return;
    chosen = alarm.alarm_id;
    show();
  });
  list.addEventListener("focusout", () => queueMicrotask(showAbove));
  list.addEventListener("keydown", (event) => {
    if (/** @type {HTMLElement} */ (event.target).parentElement !== list) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1, event.shiftKey);
    }
  });

  /** @param {string} key */
  function key(key) {
    const alarm = current();
    const commands = { a: "ack", r: "reset", s: "shelve", c: "comment" };
    if (key === "?") showHelp("alarms");
    else if (key === "/") find.focus();
    else if (key === "j" || key === "k") move(key === "j" ? 1 : -1, false);
    else if (alarm && key in commands) act(commands[/** @type {"a"} */ (key)], alarm);
    else if (alarm && key === "Enter" && document.activeElement?.matches("body, main, .row"))
      location.hash = `#/f/${alarm.equipment_path}`;
    else return false;
    return true;
  }

  const end = store.listen(({ what }) => {
    const now = desk.obstacle;
    if (what === "snapshot" || what === "alarm" || now !== obstacle) {
      obstacle = now;
      show();
    } else if (what === "tick" || what === "scores") {
      for (const row of rows.values()) if (what === "tick" || row.isOpen) row.tick();
    }
  });
  obstacle = desk.obstacle;
  show();
  return { key, close: end };
}

/** @param {any} alarm */
function raisedMs(alarm) {
  return Date.parse(alarm.raise_time ?? alarm.condition_time);
}

/** @param {any} alarm */
function areaOf(alarm) {
  return alarm.equipment_path.split("/").slice(0, -1).join("/");
}

/** Put nodes in order without moving the one that has the focus. @param {HTMLElement} list @param {HTMLElement[]} nodes */
function place(list, nodes) {
  const pivot = nodes.findIndex((node) => node.contains(document.activeElement));
  for (let at = pivot - 1; at >= 0; at -= 1) {
    if (nodes[at].nextSibling !== nodes[at + 1]) list.insertBefore(nodes[at], nodes[at + 1]);
  }
  for (let at = pivot < 0 ? 0 : pivot + 1; at < nodes.length; at += 1) {
    const before = at === 0 ? list.firstChild : nodes[at - 1].nextSibling;
    if (before !== nodes[at]) list.insertBefore(nodes[at], before);
  }
}

/** One alarm. */
class Row {
  /**
   * @param {import("./main.js").Site} site
   * @param {(command: string, alarm: any) => void} act
   * @param {boolean} hasPicture
   */
  constructor(site, act, hasPicture) {
    this.site = site;
    this.act = act;
    this.hasPicture = hasPicture;
    /** @type {AlarmPicture|undefined} */
    this.sight = undefined;
    /** @type {any} */
    this.alarm = undefined;
    this.shown = "";
    this.age = h("span", { class: "q" });
    this.left = h("span", { class: "left" });
    this.evidence = h("div", { class: "evidence" });
    /** @type {() => void} */
    this.tickEvidence = () => {};
    this.node = h("li", { class: "row", tabindex: "-1" });
  }

  /**
   * @param {any} alarm
   * @param {{isOpen: boolean, isFirstOut: boolean, isSelected: boolean, obstacle: string}} how
   */
  show(alarm, how) {
    const shown = `${alarm.event_id}|${how.isOpen}|${how.isFirstOut}|${how.isSelected}|${how.obstacle}`;
    if (shown === this.shown) return;
    const holds = this.node.contains(document.activeElement) && this.node !== document.activeElement;
    const button = holds ? document.activeElement?.getAttribute("data-command") : null;
    this.shown = shown;
    this.alarm = alarm;
    this.node.className =
      `row ${classesOf(alarm)}${how.isOpen ? " open" : ""}${how.isSelected ? " selected" : ""}`;
    const head = this.head(alarm, how.isFirstOut);
    this.node.replaceChildren(...(how.isOpen ? this.whole(alarm, head, how.obstacle) : head));
    this.tick();
    if (holds) {
      const same = button && this.node.querySelector(`[data-command="${button}"]:not([disabled])`);
      /** @type {HTMLElement} */ (same || this.node).focus();
    }
  }

  /** @param {any} alarm @param {boolean} isFirstOut */
  head(alarm, isFirstOut) {
    const now = this.site.store.now();
    const by = alarm.acked && alarm.ack_by ? text("by", { by: alarm.ack_by }) : "";
    const comment = alarm.transition.comment ? `“${alarm.transition.comment}”` : "";
    return [
      h("span", { class: "state" }, `${sign(alarm)} ${stateWord(alarm, now)}`),
      isFirstOut ? h("strong", { class: "first-out" }, text("first_out")) : null,
      h("b", { class: "where", title: alarm.equipment_path }, shortName(alarm.equipment_path)),
      h("span", { class: "title" }, alarm.title),
      alarm.class === "system" ? h("span", { class: "q" }, text("system")) : null,
      alarm.mode === "advisory" ? h("span", { class: "q" }, text("advisory")) : null,
      h("time", { class: "q", title: alarm.raise_time ?? "", datetime: alarm.raise_time ?? "" },
        moment(raisedMs(alarm), now)),
      this.age,
      by || comment ? h("span", { class: "who" }, [by, comment].filter(Boolean).join(" ")) : null,
    ].filter((each) => each !== null);
  }

  /** @param {any} alarm @param {(HTMLElement|null)[]} head @param {string} obstacle */
  whole(alarm, head, obstacle) {
    const { guidance } = alarm;
    this.tickEvidence = fillEvidence(this.evidence, this.site, alarm);
    if (this.hasPicture) this.sight ??= new AlarmPicture(alarm.equipment_path);
    const times = text("count_24h", { n: alarm.count_24h });
    const can = commandsOf(alarm);
    const buttons = can.map(([command, key]) =>
      h("button", {
        "data-command": command, disabled: obstacle !== "",
        onclick: () => this.act(command, this.alarm),
      }, `${text(command)} (${key})`));
    return [
      h("div", { class: "line" }, ...head),
      h("p", { class: "do" }, guidance.action),
      h("p", { class: "rest" }, this.left, " ",
        h("span", { class: "q" }, text("otherwise", { what: guidance.consequence }))),
      h("div", { class: "why" }, this.sight?.node, this.evidence),
      h("p", { class: "q" }, times, guidance.url ? " · " : null, guidance.url ? link(guidance.url) : null),
      h("p", { class: "buttons" }, ...buttons,
        h("a", { class: "button", href: `#/f/${alarm.equipment_path}` }, `${text("open")} (Enter)`),
        obstacle ? h("span", { class: "q" }, obstacle) : null),
    ];
  }

  get isOpen() {
    return this.node.classList.contains("open");
  }

  /** What changes by itself. */
  tick() {
    const { alarm } = this;
    if (!alarm) return;
    const now = this.site.store.now();
    say(this.age, text("ago", { age: span((now - raisedMs(alarm)) / 1_000) }));
    const left = alarm.guidance.time_to_respond_s - (now - raisedMs(alarm)) / 1_000;
    say(this.left, left > 0 ? text("left", { time: span(left) }) : text("too_late", { time: span(-left) }));
    if (!this.isOpen) return;
    this.tickEvidence();
    this.sight?.show(alarm, performance.now());
  }
}

/** What may be asked of an alarm as it is. @param {any} alarm @returns {string[][]} */
function commandsOf(alarm) {
  const found = [];
  if (isUnacknowledged(alarm)) found.push(["ack", "a"]);
  if (alarm.state === "LATAK") found.push(["reset", "r"]);
  return [...found, ["shelve", "s"], ["comment", "c"]];
}

/** A procedure, if its address is one of the web. @param {string} url */
function link(url) {
  return /^https?:\/\//.test(url)
    ? h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, text("procedure"))
    : h("span", {}, url);
}
