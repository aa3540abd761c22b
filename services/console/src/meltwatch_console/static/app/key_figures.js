/** How well the alarms serve those who must answer them: 30 days, each figure beside its target. */

import { ask } from "./ask.js";
import { h } from "./dom.js";
import { moment, span, text } from "./text.js";
import { shortName } from "./wording.js";

const WHOLE_MS = 30 * 86_400_000;
const SIGNS = { good: "✓", fair: "≈", bad: "✗", none: "" };

/** @param {HTMLElement} root */
export function openKeyFigures(root) {
  const since = h("p", { class: "q" });
  const body = h("tbody", {});
  const top = h("ol", { class: "top" });
  root.append(
    h("h3", {}, text("alarm_figures")), since,
    h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": text("alarm_figures") },
      h("table", {}, h("thead", {}, h("tr", {}, ...["figure", "value", "target"].map((key) => h("th", { scope: "col" }, text(`col_${key}`))))), body)),
    h("h3", {}, text("most_frequent")), top,
    h("p", {}, h("button", { onclick: () => save("kpi", "alarm-figures.csv") }, text("as_csv"))));

  return {
    async load() {
      const found = await ask("kpi").catch((error) => {
        since.textContent = error.message;
        return null;
      });
      if (!found) return;
      since.textContent = words(found);
      body.replaceChildren(...found.figures.map(row));
      const often = found.top.map((/** @type {any} */ each) => h("li", {}, `${shortName(each.alarm_id)}: ${each.count}`));
      top.replaceChildren(...(often.length ? often : [h("li", { class: "q" }, text("nothing_happened"))]));
    },
  };
}

/** Of which time they are: a shorter one than is meant is said. @param {any} found */
function words({ since_ms: since, until_ms: until }) {
  if (since === null) return text("nothing_happened");
  if (until - since >= WHOLE_MS) return text("figures_whole");
  return text("figures_since", { span: span((until - since) / 1_000), time: moment(since, until) });
}

/** Save a table as the API gives it to who asks for CSV. @param {string} address @param {string} name */
async function save(address, name) {
  const answer = await fetch(`api/v1/${address}`, { headers: { Accept: "text/csv" } });
  if (!answer.ok) return;
  const made = URL.createObjectURL(await answer.blob());
  h("a", { href: made, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(made), 10_000);
}

/** @param {any} figure */
function row({ title, meaning, text: value, target, grade }) {
  const sign = SIGNS[/** @type {"good"} */ (grade)] ?? "";
  return h("tr", { title: meaning },
    h("th", { scope: "row" }, title),
    h("td", { class: grade === "bad" ? "lacks" : null }, `${value} ${sign}`.trim(), grade === "none" ? null : h("span", { class: "unseen" }, ` ${text(`grade_${grade}`)}`)),
    h("td", { class: "q" }, target));
}
