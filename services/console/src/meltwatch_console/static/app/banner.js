/** The banner: never scrolls away, says in words how many of what, and how far to trust it. */

import { askPutAside } from "./dialogs.js";
import { h, mark, say } from "./dom.js";
import { keysAreOff, switchKeys } from "./keys.js";
import { ways } from "./nav.js";
import { soundSwitch } from "./sound.js";
import { span, text, zoned } from "./text.js";
import {
  isPutAside, isSelftest, isStanding, isUnacknowledged, PRIORITIES, unknown,
} from "./wording.js";

const THEME = "meltwatch-theme";
const NO_BLINK = "meltwatch-no-blink";
const FLOOD_MS = 600_000;
const FLOOD = 10;

/** @param {HTMLElement} root @param {import("./main.js").Site} site */
export function openBanner(root, site) {
  const { store, me } = site;
  const counts = Object.keys(PRIORITIES).map((priority) => [priority, h("span", { class: "count" })]);
  const flood = h("strong", { class: "flood" });
  const aside = h("button", { class: "plain", onclick: () => askPutAside(site) });
  const blind = h("span", { class: "count" });
  const link = h("span", { role: "status", class: "link" });
  const time = h("span", { class: "clock" });
  const warning = me.auth === "none" ? h("span", { class: "q" }, text("no_login")) : null;
  root.append(
    h("h1", {}, h("a", { href: "#/" }, "Meltwatch")),
    ways(),
    ...counts.map((pair) => /** @type {HTMLElement} */ (pair[1])),
    flood, blind, aside,
    h("span", { class: "end" }, link, time, warning, soundSwitch(store), switches()),
  );

  function showCounts() {
    const standing = [...store.alarms.values()].filter(
      (each) => isStanding(each) && !isSelftest(each.equipment_path),
    );
    for (const [priority, place] of counts) {
      const of = standing.filter((each) => each.priority === priority);
      const open = of.filter(isUnacknowledged).length;
      const { shape, number } = PRIORITIES[/** @type {string} */ (priority)];
      const node = /** @type {HTMLElement} */ (place);
      const words = `${shape} ${text(/** @type {string} */ (priority))} ${of.length}`;
      say(node, open ? `${words}, ${text("new_count", { n: open })}` : words);
      mark(node, "class", of.length ? `count on p${number}` : "count");
    }
    const now = store.now();
    const raised = [...store.alarms.values()].filter(
      (each) => isStanding(each) && now - Date.parse(each.raise_time ?? each.condition_time) < FLOOD_MS,
    ).length;
    say(flood, raised > FLOOD ? text("flood", { n: raised }) : "");
    const put = [...store.alarms.values()].filter(isPutAside).length;
    say(aside, text("shelved_count", { n: put }));
  }

  function showBlind() {
    const now = store.now();
    let n = 0;
    for (const furnace of store.furnaces.values()) {
      if (!isSelftest(furnace.id) && unknown(store.scores.get(furnace.index), now)) n += 1;
    }
    say(blind, text("blind_count", { n }));
    mark(blind, "class", n ? "count some" : "count");
  }

  function showTrust() {
    const { state, age_s, reason } = store.trust;
    const isLive = state === "live";
    say(link, isLive ? text("live") : text(state, { age: span(age_s) }));
    mark(link, "title", reason || null);
    mark(link, "class", isLive ? "link" : "link bad");
    document.documentElement.classList.toggle("stale", !isLive);
    say(time, store.isWhole ? zoned(store.now()) : "");
    mark(time, "title", new Date(store.now()).toISOString());
  }

  function show() {
    showCounts();
    showBlind();
    showTrust();
  }

  store.listen(({ what }) => {
    if (what === "snapshot" || what === "alarm") show();
    else if (what === "tick") {
      showTrust();
      showBlind();
    } else if (what === "link" || what === "beat") showTrust();
  });
  show();
}

/** Theme, blinking and single keys: kept in this browser. */
function switches() {
  const root = document.documentElement;
  const prefersLight = matchMedia("(prefers-color-scheme: light)").matches;
  const isLight = () => (localStorage.getItem(THEME) ?? (prefersLight ? "light" : "dark")) === "light";
  const theme = h("button", { class: "plain", onclick: () => {
    localStorage.setItem(THEME, isLight() ? "dark" : "light");
    show();
  } });
  const blink = h("button", { class: "plain", onclick: () => {
    if (localStorage.getItem(NO_BLINK)) localStorage.removeItem(NO_BLINK);
    else localStorage.setItem(NO_BLINK, "1");
    show();
  } });
  const keys = h("button", { class: "plain", onclick: () => {
    switchKeys(!keysAreOff());
    show();
  } });
  function show() {
    root.classList.toggle("light", isLight());
    root.classList.toggle("still", localStorage.getItem(NO_BLINK) !== null);
    say(theme, text(isLight() ? "to_dark" : "to_light"));
    say(blink, text("no_blinking"));
    mark(blink, "aria-pressed", String(localStorage.getItem(NO_BLINK) !== null));
    say(keys, text("no_keys"));
    mark(keys, "aria-pressed", String(keysAreOff()));
  }
  show();
  return h("details", { class: "more" }, h("summary", {}, text("display")), theme, blink, keys);
}
