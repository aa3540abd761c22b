// A publisher of currents: an edge node of Sparkplug B, or of plain messages.
//
// node publisher.js URL [CA USER PASSWORD]; the first line read may be {"will": MESSAGE}.
//   Read: {"topic", "payload": {...}} of Sparkplug, or {"topic", "text", "retain"}.
//   Printed: {"ready": true} at each connection; {"topic", "payload"} of commands to it.
"use strict";
const fs = require("node:fs");
const readline = require("node:readline");
const mqtt = require("mqtt");
const sparkplug = require("sparkplug-payload").get("spBv1.0");

const [url, ca, username, password] = process.argv.slice(2);
let client = null;

function bytes({ text, payload }) {
  return payload ? sparkplug.encodePayload(payload) : Buffer.from(text);
}

function say(thing) { process.stdout.write(`${JSON.stringify(thing)}\n`); }

function connect(will) {
  client = mqtt.connect(url, {
    ...(ca ? { ca: fs.readFileSync(ca), username, password } : {}), reconnectPeriod: 200,
    ...(will ? { will: { topic: will.topic, payload: bytes(will), qos: 1, retain: false } } : {}),
  });
  client.on("error", (error) => say({ error: error.message }));
  client.on("connect", () => client.subscribe("spBv1.0/+/NCMD/#", () => say({ ready: true })));
  client.on("message", (topic, message) => {
    const { metrics } = sparkplug.decodePayload(message);
    say({ topic, metrics: metrics.map(({ name, type, value }) => ({ name, type, value })) });
  });
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const told = JSON.parse(line);
  if (client === null) connect(told.will);
  else client.publish(told.topic, bytes(told), { qos: 0, retain: Boolean(told.retain) });
}).on("close", () => process.exit(0));
