/** Review: a queue of what was raised, one event at a time, and what people found out about it. */

import { ask } from "./ask.js";
import { causeOptions, causeWord } from "./causes.js";
import { showHelp } from "./dialogs.js";
import { h, mark, say } from "./dom.js";
import { EventView } from "./event_view.js";
import { ReviewFilters } from "./review_filters.js";
import { clock, moment, text } from "./text.js";
import { shortName, sign } from "./wording.js";

const VERDICTS = ["true_alarm", "false_alarm", "unclear"];
const MAX_COMMENT = 500;
const SETTLE_MS = 300;

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").Site} site
 * @param {URLSearchParams} asked  `furnace`, `occurrence` or `at` (ms) name what is opened
 * @returns {import("./main.js").Page}
 */
export function openReview(root, site, asked) {
  const page = new ReviewPage(root, site, asked);
  return { name: text("page_review"), key: (key) => page.key(key), close: () => page.close() };
}

class ReviewPage {
  /** @param {HTMLElement} root @param {import("./main.js").Site} site @param {URLSearchParams} asked */
  constructor(root, site, asked) {
    this.site = site;
    this.wanted = { id: asked.get("occurrence"), atMs: Number(asked.get("at")) || null };
    /** @type {any[]} */
    this.queue = [];
    /** @type {any} */
    this.open = null;
    /** Which one was judged last. @type {string|null} */
    this.judged = null;
    this.isClosed = false;
    this.filters = new ReviewFilters(site.store, asked, () => this.load());
    this.view = new EventView(site);
    this.left = h("h2", { class: "left-over" });
    this.list = h("ol", { class: "queue", "aria-label": text("queue") });
    this.heading = h("h3", { class: "what" });
    this.facts = h("p", { class: "facts" });
    this.said = h("p", { role: "status", class: "said" });
    this.buttons = VERDICTS.map((verdict, index) =>
      h("button", { "data-verdict": verdict, onclick: () => this.judge(verdict) }, `${text(`verdict_${verdict}`)} (${index + 1})`));
    this.cause = /** @type {HTMLSelectElement} */ (h("select", { id: "cause" }));
    this.comment = /** @type {HTMLInputElement} */ (h("input", {
      id: "remark", maxlength: MAX_COMMENT, onkeydown: (/** @type {KeyboardEvent} */ event) => this.remark(event),
    }));
    this.obstacle = h("span", { class: "q" });
    this.desk = h("section", { class: "judging", "aria-label": text("judging") },
      h("p", { class: "buttons" }, ...this.buttons,
        h("label", { for: "cause" }, text("cause")), this.cause,
        h("label", { for: "remark" }, `${text("comment")} (c)`), this.comment, this.obstacle),
      this.said);
    this.event = h("section", { class: "reviewed", "aria-label": text("event") }, this.heading, this.facts, this.desk, this.view.node);
    root.className = "sheet review";
    root.append(h("div", { class: "line heading" }, this.left, this.filters.node), h("div", { class: "desk" }, this.list, this.event));
    this.list.addEventListener("click", (event) => this.choose(/** @type {HTMLElement} */ (event.target)));
    this.end = site.store.listen(({ what, alarm }) => {
      if (what === "snapshot" || (what === "alarm" && alarm?.class === "process")) this.loadSoon();
      this.showObstacle();
    });
    this.show();
    this.load();
  }

  loadSoon() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.load(), SETTLE_MS);
  }

  async load() {
    try {
      const found = await ask(`occurrences?${this.filters.query()}`);
      if (this.isClosed) return;
      this.queue = found.occurrences;
      this.count = found.count;
      this.filters.note(this.queue);
      await this.find();
    } catch (error) {
      say(this.said, /** @type {Error} */ (error).message);
    }
    if (!this.isClosed) this.showQueue();
  }

  /** Open what was asked for, keep what is open, or take the first. */
  async find() {
    const { id, atMs } = this.wanted;
    this.wanted = { id: null, atMs: null };
    if (id && (await this.openNamed(id))) return;
    if (atMs !== null && this.queue.length) {
      const away = this.queue.map((each) => Math.abs(each.raised_ms - atMs));
      return this.openEvent(this.queue[away.indexOf(Math.min(...away))]);
    }
    const same = this.queue.find((each) => each.occurrence_id === this.open?.occurrence_id);
    if (same) this.open = same;
    else if (!this.open && this.queue.length) this.openEvent(this.queue[0]);
    this.show();
  }

  /** @param {string} id @returns {Promise<boolean>}  whether there is such an event */
  async openNamed(id) {
    const found = await ask(`occurrences/${encodeURIComponent(id)}`).catch((error) => say(this.said, error.message));
    if (found && !this.isClosed) this.openEvent(found);
    return Boolean(found);
  }

  showQueue() {
    const now = this.site.store.now();
    const hadFocus = this.list.contains(document.activeElement);
    say(this.left, text(this.filters.judged === "no" ? "to_review" : "events", { n: this.count ?? 0 }));
    const rows = this.queue.map((each) => {
      const isOpen = each.occurrence_id === this.open?.occurrence_id;
      return h("li", {}, h("button", {
        "data-id": each.occurrence_id, class: "plain", "aria-current": isOpen ? "true" : null, tabindex: isOpen ? "0" : "-1",
      },
      h("span", { class: "when" }, moment(each.raised_ms, now)), ` ${sign(each)} `,
      h("b", {}, shortName(each.furnace)), ` ${each.title}`,
      each.mode === "alarm" ? null : h("span", { class: "q" }, ` ${text(each.mode)}`),
      each.verdict ? h("span", { class: "q" }, ` ${text(`verdict_${each.verdict.word}`)}`) : null));
    });
    if (!this.queue.some((each) => each.occurrence_id === this.open?.occurrence_id)) mark(rows[0]?.firstElementChild ?? h("i"), "tabindex", "0");
    this.list.replaceChildren(...(rows.length ? rows : [h("li", { class: "q none" }, text("nothing_to_review"))]));
    if (hadFocus) /** @type {HTMLElement|null} */ (this.list.querySelector("[tabindex='0']"))?.focus();
  }

  /** @param {HTMLElement} target */
  choose(target) {
    const id = target.closest("button")?.dataset.id;
    const found = this.queue.find((each) => each.occurrence_id === id);
    if (found) this.openEvent(found);
  }

  /** @param {any} occurrence */
  openEvent(occurrence) {
    this.open = occurrence;
    this.comment.value = "";
    this.cause.replaceChildren(...causeOptions(occurrence.causes));
    this.cause.value = occurrence.verdict?.cause ?? "";
    const address = `#/review?${new URLSearchParams({ ...this.filters.asked(), occurrence: occurrence.occurrence_id })}`;
    history.replaceState(null, "", address);
    this.show();
    this.showQueue();
    this.view.open(occurrence);
  }

  show() {
    const { open } = this;
    this.event.hidden = !open;
    if (!open) return;
    const to = open.cleared_ms ? clock(open.cleared_ms) : text("stands");
    const now = this.site.store.now();
    this.heading.replaceChildren(
      h("a", { href: `#/f/${open.furnace}` }, shortName(open.furnace)), ` ${sign(open)} ${open.title}`);
    const score = open.score === null ? "" : `${text("score")} ${open.score.toFixed(1)} ${text("limit", { on: open.threshold.toFixed(1), off: open.threshold_off.toFixed(1) })}`;
    const mode = open.mode === "alarm" ? "" : text(open.mode);
    const { verdict } = open;
    const found = verdict
      ? text("judged_as", { word: text(`verdict_${verdict.word}`), by: verdict.by, time: moment(verdict.at_ms, now), cause: verdict.cause ? `: ${causeWord(verdict.cause)}` : "" })
      : text("not_judged_yet");
    const day = moment(open.raised_ms, now).replace(/ ?\d\d:\d\d$/, "");
    const times = `${day ? `${day} ` : ""}${clock(open.raised_ms)} – ${to}`;
    say(this.facts, [times, score, open.model, mode, found, open.comment ? `“${open.comment}”` : ""].filter(Boolean).join(" · "));
    for (const button of this.buttons) mark(button, "aria-pressed", String(button.dataset.verdict === verdict?.word));
    this.showObstacle();
  }

  showObstacle() {
    const why = this.site.desk.obstacle;
    say(this.obstacle, why);
    for (const button of this.buttons) mark(button, "disabled", why ? "" : null);
  }

  /** What a command is asked of; one of an earlier occurrence expects nothing of the newest. @param {any} occurrence */
  alarmOf({ alarm_id, furnace, title, token, is_newest }) {
    return { alarm_id, equipment_path: furnace, title, annunciation_id: is_newest ? token : undefined };
  }

  /** @param {string} verdict */
  async judge(verdict) {
    const { open } = this;
    if (!open) return;
    const more = { arguments: { verdict, ...(this.cause.value ? { cause: this.cause.value } : {}), ...earlier(open) } };
    const comment = this.comment.value.trim();
    const said = await this.site.desk.ask(this.alarmOf(open), "judge", comment ? { ...more, comment } : more);
    if (!said) return;
    say(this.said, said);
    this.judged = open.occurrence_id;
    if (said.endsWith(text("done_judge")) && this.filters.judged === "no" && this.open === open) this.move(1);
  }

  /** A comment alone. @param {KeyboardEvent} event */
  async remark(event) {
    if (event.key === "Escape") this.comment.blur();
    const comment = this.comment.value.trim();
    if (event.key !== "Enter" || !comment || !this.open) return;
    event.preventDefault();
    if (!this.open.is_newest) return say(this.said, text("comment_by_judging"));
    say(this.said, await this.site.desk.ask(this.alarmOf(this.open), "comment", { comment }));
    this.comment.value = "";
    this.comment.blur();
  }

  /** @param {number} by */
  move(by) {
    const at = this.queue.findIndex((each) => each.occurrence_id === this.open?.occurrence_id);
    const next = this.queue[at < 0 ? 0 : at + by] ?? (by > 0 ? this.queue[at - 1] : undefined);
    if (next) this.openEvent(next);
  }

  /** @param {string} key @returns {boolean} */
  key(key) {
    const active = document.activeElement;
    if (key === "j" || (key === "ArrowDown" && this.list.contains(active))) this.move(1);
    else if (key === "k" || (key === "ArrowUp" && this.list.contains(active))) this.move(-1);
    else if (/^[123]$/.test(key)) this.judge(VERDICTS[Number(key) - 1]);
    else if (key === " " && (!active?.matches("button, a, summary") || active.matches(".still"))) this.view.play();
    else if (key === "ArrowLeft") this.view.step(-1);
    else if (key === "ArrowRight") this.view.step(1);
    else if (key === "m") this.view.setBare();
    else if (key === "c") this.comment.focus();
    else if (key === "u" && this.judged) this.openNamed(this.judged);
    else if (key === "?") showHelp("review");
    else return false;
    return true;
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.settling);
    this.end();
    this.view.close();
  }
}

/** Which occurrence is judged, where its alarm has been raised again since. @param {any} occurrence */
function earlier({ is_newest, occurrence_id, raised_ms, cleared_ms }) {
  if (is_newest) return {};
  const to = new Date(Math.max(cleared_ms ?? 0, raised_ms + 1_000)).toISOString();
  return { earlier: { occurrence_id, from: new Date(raised_ms).toISOString(), to } };
}