/**
 * The stream of events: one connection for all tabs of a browser. HTTP/1.1 gives six connections
 * to a server, so one tab leads and passes on what it hears.
 */

const EVENTS = ["snapshot", "scores", "alarm", "furnace", "link", "heartbeat", "result"];
const CHANNEL = "meltwatch-stream";
/** Nothing for so long, and the connection is made anew, ms. */
const DEAD_MS = 15_000;

/**
 * @param {(event: string, data: any) => void} take
 */
export function follow(take) {
  const channel = new BroadcastChannel(CHANNEL);
  let leads = false;
  /** @type {EventSource|undefined} */
  let source;
  let heardMs = performance.now();

  /** @param {string} event @param {string} text */
  function hear(event, text) {
    heardMs = performance.now();
    take(event, JSON.parse(text));
  }

  function connect() {
    source?.close();
    heardMs = performance.now();
    source = new EventSource("api/v1/stream");
    for (const event of EVENTS) {
      source.addEventListener(event, (message) => {
        hear(event, message.data);
        channel.postMessage([event, message.data]);
      });
    }
  }

  channel.addEventListener("message", ({ data }) => {
    if (data === "whole?") {
      // A tab has come: its leader asks for the whole picture again, for all of them.
      if (leads) connect();
    } else if (!leads) hear(data[0], data[1]);
  });

  setInterval(() => {
    if (leads && performance.now() - heardMs > DEAD_MS) connect();
  }, 1_000);

  if (navigator.locks) {
    channel.postMessage("whole?");
    navigator.locks.request(CHANNEL, () => {
      leads = true;
      connect();
      return new Promise(() => {}); // kept until the tab is closed
    });
  } else {
    leads = true; // without https or localhost: a connection of its own
    connect();
  }
}
