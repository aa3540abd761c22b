/** Which events are in the queue: judged or not, area, furnace, priority, who judged. */

import { h } from "./dom.js";
import { text } from "./text.js";
import { isSelftest, PRIORITIES, shortName } from "./wording.js";

export class ReviewFilters {
  /** @param {import("./state.js").Store} store @param {URLSearchParams} asked @param {() => void} changed */
  constructor(store, asked, changed) {
    this.store = store;
    this.who = new Set([asked.get("by") ?? ""].filter(Boolean));
    /** @type {Object<string, HTMLSelectElement>} */
    this.fields = {};
    const names = ["judged", "area", "furnace", "priority", "by"];
    this.node = h("div", { class: "filters" }, ...names.map((name) => {
      const field = h("select", { id: `of-${name}`, onchange: () => {
        this.fill();
        changed();
      } });
      this.fields[name] = /** @type {HTMLSelectElement} */ (field);
      return h("span", { class: "option" }, h("label", { for: `of-${name}` }, text(`of_${name}`)), " ", field);
    }));
    const isNamed = asked.has("furnace") || asked.has("occurrence");
    this.wanted = new Map(names.map((name) => [name, asked.get(name) ?? ""]));
    if (!asked.has("judged")) this.wanted.set("judged", isNamed ? "all" : "no");
    this.fill();
  }

  get judged() {
    return this.fields.judged.value;
  }

  /** What differs from "all", as the page's own address says it. */
  asked() {
    const chosen = Object.entries(this.fields).map(([name, field]) => [name, field.value]);
    return Object.fromEntries(chosen.filter(([, value]) => value !== ""));
  }

  query() {
    return new URLSearchParams(this.asked());
  }

  /** Who has judged, as far as answers have told. @param {any[]} occurrences */
  note(occurrences) {
    for (const { verdict } of occurrences) if (verdict) this.who.add(verdict.by);
    this.fill();
  }

  fill() {
    const furnaces = [...this.store.furnaces.values()].filter((each) => !isSelftest(each.id));
    const area = this.fields.area.value || this.wanted.get("area") || "";
    const own = furnaces.filter((each) => !area || each.area === area).map((each) => each.id).sort();
    const all = /** @type {string[][]} */ ([["", text("all")]]);
    this.choices("judged", ["no", "yes", "all"].map((each) => [each, text(`judged_${each}`)]));
    this.choices("area", [...all, ...[...new Set(furnaces.map((each) => each.area))].sort().map((each) => [each, each])]);
    this.choices("furnace", [...all, ...own.map((each) => [each, shortName(each)])]);
    this.choices("priority", [...all, ...Object.keys(PRIORITIES).map((each) => [each, text(each)])]);
    this.choices("by", [...all, ...[...this.who].sort().map((each) => [each, each])]);
  }

  /** @param {string} name @param {string[][]} options */
  choices(name, options) {
    const field = this.fields[name];
    const chosen = field.value || this.wanted.get(name) || "";
    if (chosen && !options.some(([value]) => value === chosen)) options.push([chosen, chosen]);
    const now = [...field.options].map((each) => each.value).join("\n");
    if (!field.options.length || now !== options.map(([value]) => value).join("\n"))
      field.replaceChildren(...options.map(([value, words]) => h("option", { value }, words)));
    field.value = chosen;
    this.wanted.delete(name);
  }
}
