/** Two backtests held against each other: what differs only, both traces, alarms of one alone. */

import { h } from "./dom.js";
import { moment, text } from "./text.js";
import { loadUplot, PairTrace } from "./trace.js";

const PRIORITIES = { critical: "◆ 1", high: "▲ 2", medium: "■ 3", low: "● 4" };

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @param {string} a  @param {string} b  names of their folders
 * @returns {() => void} its end
 */
export function openDifference(root, site, a, b) {
  let isOpen = true;
  /** @type {PairTrace|undefined} */
  let trace;
  const note = h("p", { role: "status" });
  root.append(h("h3", {}, text("differ_title", { a, b })), note);

  async function load() {
    const [found, run] = await Promise.all([ask(`${name(a)}/against/${name(b)}`), ask(name(a))]);
    if (!isOpen) return;
    if (found.error || run.error) {
      note.textContent = (found.error ?? run.error).message;
      return;
    }
    note.textContent = found.raises?.sentence ?? text("raises_not_compared");
    note.className = "do";
    root.append(facts(found.facts), occasions(found.raises?.occasions ?? []));
    traces(run, found.raises?.occasions ?? []);
  }

  /** @param {{name: string, a: string, b: string}[]} rows */
  function facts(rows) {
    if (!rows.length) return h("p", {}, text("same_settings"));
    const head = h("tr", {}, ...[text("what"), a, b].map((each) => h("th", { scope: "col" }, each)));
    const body = rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.name), h("td", {}, row.a), h("td", {}, row.b)));
    return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": text("what_differs") },
      h("table", { class: "facts" }, h("thead", {}, head), h("tbody", {}, ...body)));
  }

  /** @param {any[]} all */
  function occasions(all) {
    const apart = all.filter((each) => each.before === null || each.after === null);
    const items = apart.map((each) => {
      const at = Date.parse(each.before ?? each.after);
      const furnace = each.alarm_id.split("/").slice(0, -1).join("/");
      const asked = new URLSearchParams({ furnace, at: String(at) });
      if (each.occurrence_id) asked.set("occurrence", each.occurrence_id);
      const who = text("alone_in", { name: each.before === null ? b : a });
      const verdict = each.verdict ? `; ${text(`judged_${each.verdict}`)}` : "";
      const sign = PRIORITIES[/** @type {keyof typeof PRIORITIES} */ (each.priority)] ?? "";
      return h("li", {}, `${sign} `, h("a", { href: `#/review?${asked}` }, `${each.alarm_id}, ${moment(at, 0)}`), `: ${who}${verdict}`);
    });
    return h("section", {}, h("h4", {}, text("of_one_alone")),
      items.length ? h("ul", {}, ...items) : h("p", { class: "q" }, text("none_alone")));
  }

  /** @param {any} run @param {any[]} all */
  async function traces(run, all) {
    const told = all.filter((each) => each.before === null || each.after === null).concat(all);
    const first = told.map((each) => each.alarm_id.split("/").slice(0, -1).join("/"));
    const furnaces = [...new Set([...first, ...Object.keys(run.windows).sort()])];
    if (!furnaces.length) return;
    const options = furnaces.map((each) => h("option", { value: each }, each));
    const choice = /** @type {HTMLSelectElement} */ (h("select", { onchange: () => show(choice.value) }, ...options));
    const stage = h("div", { class: "plot", role: "img", "aria-label": text("both_traces", { a, b }) });
    root.append(h("p", { class: "line" }, h("label", {}, text("furnace_choice"), " ", choice),
      h("span", { class: "q" }, text("wide_and_narrow", { a, b }))), stage);
    const uPlot = await loadUplot();
    if (!isOpen) return;
    trace = new PairTrace(uPlot, stage, site.me.time_zone);

    /** @param {string} furnace */
    async function show(furnace) {
      const query = new URLSearchParams({ furnace });
      const [one, other] = await Promise.all([a, b].map((each) => ask(`${name(each)}/scores?${query}`)));
      if (isOpen && choice.value === furnace) trace?.show(one.rows ?? [], other.rows ?? []);
    }
    show(choice.value);
  }

  load();
  return () => {
    isOpen = false;
    trace?.close();
  };
}

/** @param {string} each */
function name(each) {
  return encodeURIComponent(each);
}

/** @param {string} path @returns {Promise<any>} */
async function ask(path) {
  const answer = await fetch(`api/v1/backtests/${path}`).catch(() => null);
  const found = await answer?.json().catch(() => null);
  return found ?? { error: { message: text("not_sent") } };
}
