/** Questions: for how long, why, in what words. Each is a dialog that the keyboard alone can use. */

import { causeOptions } from "./causes.js";
import { h, say } from "./dom.js";
import { moment, span, text } from "./text.js";
import { classesOf, isPutAside, shortName, sign, stateWord } from "./wording.js";

const DURATIONS_S = [900, 3_600, 14_400, 28_800];
const REASONS = ["nuisance", "maintenance", "stale_alarm", "other"];
const KEYS = {
  alarms: ["j", "x", "a", "r", "s", "c", "/", "enter", "m", "space", "left", "esc", "g", "?"],
  review: ["next", "123", "u", "remark", "frame", "space", "m", "g", "?"],
};
const MAX_COMMENT = 500;

/**
 * Ask for a comment. @param {string} title
 * @returns {Promise<string|null>} null if it was given up
 */
export function askComment(title) {
  const field = /** @type {HTMLTextAreaElement} */ (
    h("textarea", { rows: 3, maxlength: MAX_COMMENT, required: true, id: "comment" })
  );
  const label = h("label", { for: "comment" }, text("comment_label", { n: MAX_COMMENT }));
  return ask(title, text("comment"), [label, field], () => field.value.trim() || undefined);
}

/**
 * Ask for how long and why an alarm is shelved. @param {string} title
 * @returns {Promise<{duration_s: number, reason: string, one_shot: boolean}|null>}
 */
export function askShelving(title) {
  const duration = choice("duration", DURATIONS_S.map((each) => [String(each), span(each)]));
  const reason = choice("reason", REASONS.map((each) => [each, text(`reason_${each}`)]));
  const once = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", id: "once" }));
  const parts = [
    duration.field, reason.field,
    h("p", {}, once, " ", h("label", { for: "once" }, text("one_shot"))),
  ];
  return ask(title, text("shelve"), parts, () => ({
    duration_s: Number(duration.value()),
    reason: text(`reason_${reason.value()}`),
    one_shot: once.checked,
  }));
}

/** Ask what lay behind an event that no alarm told. @param {string} title @returns {Promise<string|null>} */
export function askMissed(title) {
  const cause = /** @type {HTMLSelectElement} */ (h("select", { id: "missed-cause" }, ...causeOptions([])));
  const parts = [h("p", {}, title), h("label", { for: "missed-cause" }, text("cause")), " ", cause];
  return ask(text("missed_event"), text("missed_say"), parts, () => cause.value);
}

/** The list of what is shelved or out of service. @param {import("./main.js").Site} site */
export function askPutAside(site) {
  const { store, desk } = site;
  const body = h("div", { class: "aside-list" });
  const said = h("p", { role: "status" });
  /** What counts down. @type {[HTMLElement, any][]} */
  let lefts = [];
  function show() {
    const focused = document.activeElement?.getAttribute("data-alarm");
    const hadFocus = body.contains(document.activeElement);
    const found = [...store.alarms.values()].filter(isPutAside);
    lefts = found.map((alarm) => [h("span", {}), alarm]);
    const rows = lefts.map(([left, alarm]) =>
      h("li", { class: classesOf(alarm) },
        h("span", { class: "state" }, `${sign(alarm)} ${stateWord(alarm, store.now())}`),
        h("b", {}, ` ${shortName(alarm.equipment_path)} ${alarm.title} `), left,
        alarm.state === "SHLVD" && me(site) ? unshelve(alarm) : null,
      ));
    body.replaceChildren(rows.length ? h("ul", {}, ...rows) : h("p", {}, text("none_shelved")));
    tick();
    if (!hadFocus) return;
    const buttons = /** @type {HTMLElement[]} */ ([...body.querySelectorAll("button")]);
    const same = buttons.find((each) => each.getAttribute("data-alarm") === focused) ?? buttons[0];
    (same ?? /** @type {HTMLElement|null} */ (body.closest("dialog")?.querySelector(".buttons button")))?.focus();
  }
  /** @param {any} alarm */
  function unshelve(alarm) {
    return h("button", { "data-alarm": alarm.alarm_id, onclick: async () => {
      say(said, await desk.ask(alarm, "unshelve"));
    } }, text("unshelve"));
  }
  function tick() {
    for (const [node, alarm] of lefts) say(node, whoAndHowLong(alarm, store.now()));
  }
  show();
  const end = store.listen(({ what }) => {
    if (what === "alarm" || what === "snapshot") show();
    else if (what === "tick") tick();
  });
  return ask(text("shelved_title"), null, [body, said], () => undefined).finally(end);
}

/** @param {any} alarm @param {number} now */
function whoAndHowLong(alarm, now) {
  if (alarm.shelve) {
    const { by, reason, until } = alarm.shelve;
    return text("by_for", { by, reason, left: span((Date.parse(until) - now) / 1_000) });
  }
  const { by, since } = alarm.out_of_service ?? {};
  return text("out_since", { by: by ?? "-", time: moment(Date.parse(since ?? alarm.condition_time), now) });
}

/** The keys of a page. @param {"alarms"|"review"} page */
export function showHelp(page) {
  const rows = KEYS[page].map((key) => h("li", {}, text(`key_${key}`)));
  return ask(text("help"), null, [h("ul", {}, ...rows)], () => undefined);
}

/** @param {import("./main.js").Site} site */
function me(site) {
  return site.me.role !== "view";
}

/** @param {string} name @param {string[][]} options */
function choice(name, options) {
  const inputs = options.map(([value], number) =>
    /** @type {HTMLInputElement} */ (
      h("input", { type: "radio", name, value, id: `${name}-${value}`, checked: number === 0 })
    ));
  const field = h("fieldset", {}, h("legend", {}, text(name)), ...options.map(([value, words], number) =>
    h("span", { class: "option" }, inputs[number], h("label", { for: `${name}-${value}` }, words))));
  return { field, value: () => inputs.find((each) => each.checked)?.value ?? "" };
}

/**
 * @template T
 * @param {string} title
 * @param {string|null} yes  words of the button that answers; null where there is nothing to answer
 * @param {(Node|string)[]} parts
 * @param {() => T|undefined} answer  undefined is no answer yet
 * @returns {Promise<T|null>}
 */
function ask(title, yes, parts, answer) {
  const before = /** @type {HTMLElement|null} */ (document.activeElement);
  return new Promise((done) => {
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "asked" }));
    /** @type {T|null} */
    let given = null;
    const form = h("form", { onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      const found = answer();
      if (yes !== null && found === undefined) return;
      given = found ?? null;
      dialog.close();
    } },
    h("h2", { id: "asked" }, title), ...parts,
    h("p", { class: "buttons" },
      yes === null ? null : h("button", { type: "submit" }, yes),
      h("button", { type: "button", onclick: () => dialog.close() }, text("close"))));
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      done(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
