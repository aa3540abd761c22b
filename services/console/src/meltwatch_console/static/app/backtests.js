/** Backtests: what another threshold or model would have done. */

import { openDifference } from "./backtest_difference.js";
import { h } from "./dom.js";
import { moment, text } from "./text.js";

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @param {URLSearchParams} asked  `a` and `b` name the chosen ones, `report` the one whose report is open
 * @returns {import("./main.js").Page}
 */
export function openBacktests(root, site, asked) {
  root.className = "sheet backtests";
  const list = h("ul", { class: "rows" });
  const note = h("p", { class: "q", role: "status" }, text("reading_backtests"));
  const below = h("div", {});
  root.append(h("h2", {}, text("page_backtests")), note, list, below);
  /** @type {string[]} */
  let chosen = ["a", "b"].map((side) => asked.get(side) ?? "").filter(Boolean);
  let close = () => {};

  async function load() {
    const answer = await fetch("api/v1/backtests").catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (!answer?.ok || !found) {
      note.textContent = found?.error?.message ?? text("not_sent");
      return;
    }
    const { is_set, backtests, unreadable } = found;
    if (!is_set) note.textContent = text("no_backtests");
    else note.textContent = backtests.length ? text("choose_two") : text("none_run");
    list.replaceChildren(...backtests.map(row), ...unreadable.map(bad));
    showBelow();
  }

  /** @param {any} each */
  function row(each) {
    const box = h("input", { type: "checkbox", value: each.name, onchange: () => choose(each.name) });
    /** @type {HTMLInputElement} */ (box).checked = chosen.includes(each.name);
    const ran = each.finished ? moment(Date.parse(each.finished), site.store.now()) : "";
    const lines = [
      h("p", { class: "line" }, h("label", { class: "option" }, box, " ", h("strong", {}, each.name)),
        h("span", { class: "q" }, ran),
        h("button", { class: "plain", onclick: () => go({ report: each.name }) }, text("report"))),
      h("p", { class: "do" }, each.sentence ?? text("no_answer")),
      h("p", {}, `${spanOf(each)}; ${each.model}; ${text("tried", { what: each.tried })}; `, each.statement),
    ];
    const kept = judged(each.labels);
    if (kept) lines.push(h("p", {}, kept));
    return h("li", { class: "row open" }, ...lines);
  }

  /** @param {any} each */
  function bad(each) {
    return h("li", { class: "row" }, h("strong", {}, each.name), h("span", {}, text("unreadable", { reason: each.reason })));
  }

  /** @param {string} name */
  function choose(name) {
    chosen = chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name].slice(-2);
    go({});
  }

  /** Say in the address what is open, so that it can be sent to somebody. @param {Object<string, string>} more */
  function go(more) {
    const [a, b] = chosen;
    location.hash = `#/backtests?${new URLSearchParams({ ...(a && { a }), ...(b && { b }), ...more })}`;
  }

  function showBelow() {
    close();
    below.replaceChildren();
    const report = asked.get("report");
    if (report) {
      const address = `api/v1/backtests/${encodeURIComponent(report)}/report`;
      below.append(h("h3", {}, text("report_of", { name: report }), " ",
        h("button", { class: "plain", onclick: () => go({}) }, text("close"))),
      h("iframe", { class: "report", sandbox: true, src: address, title: text("report_of", { name: report }) }));
      below.scrollIntoView();
    } else if (chosen.length === 2) close = openDifference(below, site, chosen[0], chosen[1]);
  }

  load();
  return { name: text("page_backtests"), close: () => close() };
}

/** The span of a run, in the plant's time. @param {{from: string, to: string}} each */
function spanOf({ from, to }) {
  const end = Date.parse(to);
  return text("from_to", { from: moment(Date.parse(from), 0), to: moment(end, 0) });
}

/** Judged alarms kept and lost. @param {any} labels */
function judged(labels) {
  if (!labels) return "";
  return ["true_alarm", "false_alarm"]
    .filter((verdict) => labels[verdict].labels && labels[verdict].kept !== null)
    .map((verdict) => text(`kept_${verdict}`, { kept: labels[verdict].kept, lost: labels[verdict].lost }))
    .join("; ");
}
