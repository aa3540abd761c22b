// Lists alarms by ConditionRefresh and acknowledges them, as a SCADA system on node-opcua does.
// What it is told and what it prints: see tests/integration/scada_adapter/foreign.py.
"use strict";
const path = require("node:path");
const opcua = require("node-opcua-client");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");

const [url, user, password, folder, ...steps] = process.argv.slice(2);
const FIELDS = ["EventId", "EventType", "Message", "ActiveState.Id", "AckedState.Id"];
const REFRESH_START = "ns=0;i=2787", REFRESH_END = "ns=0;i=2788";

function told(fields) {
  const [eventId, type, message, active, acked, conditionId] = fields.map((each) => each.value);
  return {
    condition_id: conditionId ? conditionId.toString() : "",
    event_id: eventId ? eventId.toString("hex") : "",
    message: message ? message.text : "",
    type: type.toString(), active, acked,
  };
}

function filterOf(type) {
  const made = opcua.constructEventFilter(FIELDS.concat(["ConditionType"]));
  made.selectClauses[FIELDS.length] = new opcua.SimpleAttributeOperand({
    typeDefinitionId: "i=2782", browsePath: [], attributeId: opcua.AttributeIds.NodeId,
  });
  return type === "-" ? made : new opcua.EventFilter({
    selectClauses: made.selectClauses, whereClause: opcua.ofType(type),
  });
}

async function look(session, node, type) {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 100, requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 10, publishingEnabled: true, maxNotificationsPerPublish: 1000,
  });
  const item = await subscription.monitor(
    { nodeId: node, attributeId: opcua.AttributeIds.EventNotifier },
    { samplingInterval: 0, discardOldest: true, queueSize: 10000, filter: filterOf(type) },
    opcua.TimestampsToReturn.Neither);
  const events = [];
  let began = false;
  const ended = new Promise((resolve) => item.on("changed", (fields) => {
    const event = told(fields);
    if (event.type === REFRESH_START) began = true;
    else if (event.type === REFRESH_END) resolve();
    else if (began) events.push(event);
  }));
  const before = process.hrtime.bigint();
  const refreshed = await session.call({
    objectId: "ns=0;i=2782", methodId: "ns=0;i=3875",
    inputArguments: [{ dataType: opcua.DataType.UInt32, value: subscription.subscriptionId }],
  });
  await ended;
  const listed_ms = Number((process.hrtime.bigint() - before) / 1000000n);
  await subscription.terminate();
  return { status: refreshed.statusCode.value, listed_ms, events };
}

async function acknowledge(session, seen, alarmId, comment) {
  const conditionId = `ns=2;s=${alarmId}`;
  const { event_id } = seen.find((event) => event.condition_id === conditionId);
  const status = await session.acknowledgeCondition(
    conditionId, Buffer.from(event_id, "hex"), comment);
  return { status: status.value };
}

async function main() {
  const certificates = new OPCUACertificateManager({
    rootFolder: path.resolve(folder, "node"), automaticallyAcceptUnknownCertificate: true,
  });
  await certificates.initialize();
  const client = opcua.OPCUAClient.create({
    applicationName: "Foreign", clientCertificateManager: certificates,
    securityMode: opcua.MessageSecurityMode.SignAndEncrypt,
    securityPolicy: opcua.SecurityPolicy.Basic256Sha256,
    endpointMustExist: false, connectionStrategy: { maxRetry: 2, initialDelay: 200 },
  });
  await client.connect(url);
  const session = await client.createSession(
    { type: opcua.UserTokenType.UserName, userName: user, password });
  let seen = [];
  while (steps.length) {
    const [step, first, second] = steps.splice(0, 3);
    const said = step === "look" ? await look(session, first, second)
      : await acknowledge(session, seen, first, second);
    seen = said.events || seen;
    console.log(JSON.stringify(said));
  }
  await session.close();
  await client.disconnect();
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
