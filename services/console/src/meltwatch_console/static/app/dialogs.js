/** Questions: for how long, why, in what words. Each is a dialog that the keyboard alone can use. */

import { h } from "./dom.js";
import { moment, span, text } from "./text.js";
import { isPutAside, shortName, sign, stateWord } from "./wording.js";

const DURATIONS_S = [900, 3_600, 14_400, 28_800];
const REASONS = ["nuisance", "maintenance", "stale_alarm", "other"];
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

/** The list of what is shelved or out of service. @param {import("./main.js").Site} site */
export function askPutAside(site) {
  const { store, desk } = site;
  const body = h("div", { class: "aside-list" });
  const said = h("p", { role: "status" });
  function show() {
    const now = store.now();
    const found = [...store.alarms.values()].filter(isPutAside);
    const rows = found.map((alarm) =>
      h("li", {},
        h("b", {}, `${sign(alarm)} ${shortName(alarm.equipment_path)} ${alarm.title}`),
        h("span", {}, ` ${stateWord(alarm, now)}, `),
        h("span", {}, alarm.shelve
          ? text("by_for", {
            by: alarm.shelve.by, reason: alarm.shelve.reason,
            left: span((Date.parse(alarm.shelve.until) - now) / 1_000),
          })
          : text("out_since", {
            by: alarm.out_of_service?.by ?? "-",
            time: moment(Date.parse(alarm.out_of_service?.since ?? alarm.condition_time), now),
          })),
        alarm.state === "SHLVD" && me(site)
          ? h("button", { onclick: async () => {
            said.textContent = await desk.ask(alarm, "unshelve");
            show();
          } }, text("unshelve"))
          : null,
      ));
    body.replaceChildren(rows.length ? h("ul", {}, ...rows) : h("p", {}, text("none_shelved")));
  }
  show();
  const end = store.listen(({ what }) => {
    if (what === "alarm" || what === "snapshot") show();
  });
  return ask(text("shelved_title"), null, [body, said], () => undefined).finally(end);
}

/** The keys. */
export function showHelp() {
  const keys = ["j", "x", "a", "r", "s", "c", "/", "enter", "m", "space", "left", "esc", "g", "?"];
  const rows = keys.map((key) => h("li", {}, text(`key_${key}`)));
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
