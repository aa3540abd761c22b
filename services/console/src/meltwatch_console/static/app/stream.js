/**
 * The stream of events: one connection for all tabs of a browser. HTTP/1.1 gives six connections
 * to a server, so one tab leads and passes on what it hears.
 */

import { seekLead } from "./leader.js";

const EVENTS = ["snapshot", "scores", "alarm", "furnace", "link", "heartbeat", "result"];
const CHANNEL = "meltwatch-stream";
/** A tab that has come asks its leader for the whole picture. */
const WHOLE = "whole?";
/** Nothing for so long, and the connection is made anew, ms. */
const DEAD_MS = 15_000;

/**
 * @param {(event: string, data: any) => void} take
 */
export function follow(take) {
  const channel = new BroadcastChannel(CHANNEL);
  /** Only of the tab that leads. @type {EventSource|undefined} */
  let source;
  let heardMs = performance.now();
  let isWhole = false;

  /** @param {string} event @param {string} text */
  function hear(event, text) {
    heardMs = performance.now();
    take(event, JSON.parse(text));
    isStillLeading();
  }

  function disconnect() {
    source?.close();
    source = undefined;
  }

  function connect() {
    disconnect();
    heardMs = performance.now();
    isWhole = false;
    const made = (source = new EventSource("api/v1/stream"));
    for (const event of EVENTS) {
      made.addEventListener(event, ({ data }) => {
        if (source !== made) return;
        isWhole ||= event === "snapshot";
        channel.postMessage([event, data]);
        hear(event, data);
      });
    }
  }

  channel.addEventListener("message", ({ data }) => {
    // A whole picture that is still to come is for the new tab, too.
    if (data === WHOLE) {
      if (source && isWhole) connect();
    } else if (!source) hear(data[0], data[1]);
  });

  setInterval(() => {
    if (source && performance.now() - heardMs > DEAD_MS) connect();
  }, 1_000);

  const isStillLeading = seekLead(connect, disconnect);
  channel.postMessage(WHOLE);
}
