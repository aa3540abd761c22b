/** Puts the page together: who looks, the stream, the banner, and one page at a time. */

import { openBacktests } from "./backtests.js";
import { openBanner } from "./banner.js";
import { Desk } from "./desk.js";
import { openFurnace } from "./furnace.js";
import { listenToKeys } from "./keys.js";
import { openPlant } from "./plant.js";
import { openReview } from "./review.js";
import { Store } from "./state.js";
import { follow } from "./stream.js";
import { openSystem } from "./system.js";
import { speak, text } from "./text.js";
import { announce } from "./voice.js";

/**
 * What every page is given.
 * @typedef {{user: string, role: "view"|"operate"|"engineer", auth: string, time_zone: string,
 *   language: string}} Me
 * @typedef {{store: Store, me: Me, desk: Desk}} Site
 * @typedef {{close: () => void, key?: (key: string) => boolean, name: string}} Page
 */

/** @type {Map<string, (root: HTMLElement, site: Site, asked: URLSearchParams) => Page>} */
const PAGES = new Map([["review", openReview], ["backtests", openBacktests], ["system", openSystem]]);

/** What blinks does so at 1 Hz, all at once. */
const HALF_BEAT_MS = 500;

/** @type {Page|undefined} */
let page;

/** @param {Site} site */
function route(site) {
  const root = /** @type {HTMLElement} */ (document.getElementById("page"));
  const [path, query] = location.hash.slice(1).split("?");
  const [, first, ...rest] = path.split("/");
  page?.close();
  root.replaceChildren();
  if (first === "f" && rest.length) page = openFurnace(root, site, rest.map(plain).join("/"));
  else page = (PAGES.get(first) ?? openPlant)(root, site, new URLSearchParams(query));
  document.title = `${page.name} - Meltwatch`;
}

/** A level of an address; one that is no such text stays as it is. @param {string} level */
function plain(level) {
  try {
    return decodeURIComponent(level);
  } catch {
    return level;
  }
}

async function start() {
  const answer = await fetch("api/v1/me");
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    const words = said.error?.message ?? String(answer.status);
    document.body.textContent = text("not_let_in", { reason: words });
    return;
  }
  /** @type {Me} */
  const me = await answer.json();
  speak(me.language, me.time_zone);
  const store = new Store();
  const site = { store, me, desk: new Desk(store, me) };
  openBanner(/** @type {HTMLElement} */ (document.getElementById("banner")), site);
  announce(store);
  addEventListener("hashchange", () => {
    route(site);
    document.getElementById("page")?.focus();
  });
  listenToKeys((key) => page?.key?.(key) ?? false);
  route(site);
  follow((event, data) => store.take(event, data, performance.now()));
  setInterval(() => store.tick(performance.now()), 1_000);
  setInterval(beat, HALF_BEAT_MS);
}

let isOff = false;
/** On what blinks itself: a class of the whole page costs a look at each of 1,000 tiles. */
const blinking = document.getElementsByClassName("blinks");

function beat() {
  isOff = !isOff;
  for (const node of blinking) node.classList.toggle("off-beat", isOff);
}

start();
