/** Commands: sent once, answered by the alarm manager. The list changes by the stream alone. */

import { text } from "./text.js";
import { tokenOf } from "./wording.js";

/** More would be refused: ten a second. */
const PAUSE_MS = 120;

export class Desk {
  /** @param {import("./state.js").Store} store @param {import("./main.js").Me} me */
  constructor(store, me) {
    this.store = store;
    this.me = me;
    /** Alarm ids with a command under way. @type {Set<string>} */
    this.busy = new Set();
  }

  /** Why nothing can be asked for now; empty while it can. */
  get obstacle() {
    if (this.me.role === "view") return text("only_looks");
    return this.store.trust.state === "live" ? "" : text("no_commands_now");
  }

  /**
   * @param {any} alarm
   * @param {string} command
   * @param {{comment?: string, arguments?: Object<string, any>}} [more]
   * @returns {Promise<string>}  what became of it, in words
   */
  async ask(alarm, command, more = {}) {
    const where = `${alarm.equipment_path.split("/").pop()} ${alarm.title}`;
    if (this.obstacle) return `${where}: ${this.obstacle}`;
    const key = `${command} ${alarm.alarm_id}`;
    if (this.busy.has(key)) return "";
    this.busy.add(key);
    const body = {
      alarm_id: alarm.alarm_id,
      command,
      command_id: uuid(),
      expected_event_id: tokenOf(alarm),
      ...more,
    };
    try {
      const said = await this.post(body);
      return `${where}: ${said}`;
    } finally {
      this.busy.delete(key);
    }
  }

  /** One after the other. @param {any[]} alarms @param {string} command */
  async askEach(alarms, command) {
    let said = "";
    for (const alarm of alarms) {
      said = await this.ask(alarm, command);
      if (alarms.length > 1) await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
    return alarms.length > 1 ? text("asked_many", { n: alarms.length, last: said }) : said;
  }

  /** @param {any} body */
  async post(body) {
    let answer;
    try {
      answer = await fetch("api/v1/commands", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Meltwatch": "1" },
        body: JSON.stringify(body),
      });
    } catch {
      return text("not_sent");
    }
    const told = await answer.json().catch(() => ({}));
    if (told.newest) this.store.takeAlarm(told.newest);
    if (answer.status === 200) return text(`done_${body.command}`);
    if (answer.status === 202) return text("unanswered");
    const code = told.error?.code ?? String(answer.status);
    if (code === "stale") return text("refused_stale");
    return text("refused", { reason: told.error?.message ?? code });
  }
}

/** `crypto.randomUUID` is missing without https. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
