// A Sparkplug host: prints every message as a line of JSON, publishes what it reads as lines of JSON.
//
// node host.js URL [CA USER PASSWORD]
//   Printed: {"topic", "retain", "qos", and "payload", or of a state "text"}; first {"ready": true}.
//   Read: {"topic", "metrics": [{"name", "type", "value"}]}, or {"topic", "text", "retain"}.
"use strict";
const fs = require("node:fs");
const readline = require("node:readline");
const mqtt = require("mqtt");
const sparkplug = require("sparkplug-payload").get("spBv1.0");

const [url, ca, username, password] = process.argv.slice(2);
const login = ca ? { ca: fs.readFileSync(ca), username, password } : {};
const client = mqtt.connect(url, { ...login, reconnectPeriod: 200 });

function plain(key, value) { // numbers of 64 bits come as objects
  if (value && typeof value === "object" && "low" in value && "high" in value) {
    return value.high * 4294967296 + (value.low >>> 0);
  }
  return value;
}

function say(thing) { process.stdout.write(`${JSON.stringify(thing, plain)}\n`); }

function decoded(message) { // null for what another client should not have sent
  try { return sparkplug.decodePayload(message); } catch { return null; }
}

client.on("connect", () => client.subscribe("spBv1.0/#", { qos: 1 }, () => say({ ready: true })));
client.on("error", (error) => say({ error: error.message }));
client.on("message", (topic, message, packet) => {
  const told = { topic, retain: packet.retain, qos: packet.qos };
  if (topic.startsWith("spBv1.0/STATE/")) say({ ...told, text: message.toString() });
  else say({ ...told, payload: decoded(message) });
});

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { topic, metrics, text, retain } = JSON.parse(line);
  const message = metrics
    ? sparkplug.encodePayload({ timestamp: Date.now(), metrics }) : Buffer.from(text);
  client.publish(topic, message, { qos: 1, retain: Boolean(retain) });
}).on("close", () => process.exit(0));
