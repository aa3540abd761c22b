/**
 * Which tab of a browser leads: who holds a lock of the browser. Where it gives none (http to another
 * machine) who holds a lease in its storage.
 */

const NAME = "meltwatch-leader";
/** So long a lease holds without being renewed: a page is stale after 15 s without news, ms. */
export const LEASE_MS = 8_000;
const LOOK_MS = 1_000;
/** Between asking for the lease and having it: another tab may ask at the same moment, ms. */
const SETTLE_MS = 150;

/**
 * @param {() => void} begin  this tab leads from now on
 * @param {() => void} end  it leads no more
 * @returns {() => void}  to be called when something was heard: hidden tabs have slow timers
 */
export function seekLead(begin, end) {
  if (navigator.locks) {
    navigator.locks.request(NAME, () => {
      begin();
      return new Promise(() => {}); // kept until the tab is closed
    });
    return () => {};
  }
  const lease = new Lease(begin, end);
  return () => lease.look();
}

/** A lease is `id until`, milliseconds of the wall clock. */
class Lease {
  /** @param {() => void} begin @param {() => void} end */
  constructor(begin, end) {
    this.begin = begin;
    this.end = end;
    this.id = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.leads = false;
    this.asks = false;
    setInterval(() => this.look(), LOOK_MS);
    addEventListener("storage", ({ key }) => {
      if (key === NAME) this.look();
    });
    addEventListener("pagehide", () => this.giveBack());
    this.look();
  }

  /** Who holds it; empty where nobody does, or its end lies where a clock has leapt to. */
  get holder() {
    const [id, until] = (localStorage.getItem(NAME) ?? "").split(" ");
    const leftMs = Number(until) - Date.now();
    return leftMs > 0 && leftMs <= LEASE_MS ? id : "";
  }

  write() {
    localStorage.setItem(NAME, `${this.id} ${Date.now() + LEASE_MS}`);
  }

  look() {
    const { holder } = this;
    if (this.leads) {
      if (holder === "" || holder === this.id) this.write();
      else this.stop();
    } else if (holder === "" && !this.asks) {
      this.asks = true;
      this.write();
      setTimeout(() => this.settle(), SETTLE_MS * (1 + Math.random()));
    }
  }

  /** The last of those who asked at the same moment has it. */
  settle() {
    this.asks = false;
    if (this.holder !== this.id) return;
    this.leads = true;
    this.begin();
  }

  stop() {
    this.leads = false;
    this.end();
  }

  /** The tab is closed: another one need not wait for the end of the lease. */
  giveBack() {
    if (!this.leads) return;
    this.stop();
    localStorage.removeItem(NAME);
  }
}
