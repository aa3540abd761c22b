// Lists alarms by ConditionRefresh and acknowledges one, as a SCADA system on node-opcua does.
//
// node client.js URL USER PASSWORD PKI NODE TYPE [ALARM_ID COMMENT]
//   NODE: whose events to watch, a NodeId; TYPE: for OfType, a NodeId, or "-".
// Prints one JSON object: the refreshed events, and the status of the acknowledgement.
"use strict";
const path = require("node:path");
const opcua = require("node-opcua-client");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");

const [url, user, password, pki, node, type, alarmId, comment] = process.argv.slice(2);
const FIELDS = ["EventId", "EventType", "SourceName", "Message", "Severity", "Retain",
  "ActiveState.Id", "AckedState.Id"];
const REFRESH_START = "ns=0;i=2787", REFRESH_END = "ns=0;i=2788";

function told(fields) {
  const found = Object.fromEntries(FIELDS.map((name, n) => [name, fields[n].value]));
  return {
    event_id: found.EventId ? found.EventId.toString("hex") : null,
    type: found.EventType.toString(),
    source: found.SourceName,
    message: found.Message ? found.Message.text : null,
    severity: found.Severity,
    retain: found.Retain,
    active: found["ActiveState.Id"],
    acked: found["AckedState.Id"],
    condition_id: fields[FIELDS.length].value ? fields[FIELDS.length].value.toString() : null,
  };
}

async function main() {
  const certificates = new OPCUACertificateManager({
    rootFolder: path.resolve(pki), automaticallyAcceptUnknownCertificate: true,
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
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 100, requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 10, publishingEnabled: true, maxNotificationsPerPublish: 1000,
  });
  const selected = opcua.constructEventFilter(FIELDS.concat(["ConditionType"]));
  selected.selectClauses[FIELDS.length] = new opcua.SimpleAttributeOperand({
    typeDefinitionId: "i=2782", browsePath: [], attributeId: opcua.AttributeIds.NodeId,
  });
  const filter = type === "-" ? selected : new opcua.EventFilter({
    selectClauses: selected.selectClauses,
    whereClause: opcua.ofType(type),
  });
  const item = await subscription.monitor(
    { nodeId: node, attributeId: opcua.AttributeIds.EventNotifier },
    { samplingInterval: 0, discardOldest: true, queueSize: 10000, filter },
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
  let acknowledged = null;
  if (alarmId) {
    const seen = events.find((event) => event.condition_id === `ns=2;s=${alarmId}`);
    const status = await session.acknowledgeCondition(
      `ns=2;s=${alarmId}`, Buffer.from(seen.event_id, "hex"), comment);
    acknowledged = status.name;
  }
  console.log(JSON.stringify(
    { refresh: refreshed.statusCode.name, listed_ms, events, acknowledged }));
  await subscription.terminate();
  await session.close();
  await client.disconnect();
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
