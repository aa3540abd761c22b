// A Sparkplug host application on Eclipse Tahu, the reference implementation: it keeps its own
// STATE, checks the order of what an edge node says, and asks for a birth when it is not right.
//
// java -cp 'target/lib/*' Host.java HOST_ID URL
//   Printed, a line of JSON each: {"event": "connected"}, {"event": "birth" | "data" | "death",
//   "of", "metrics": {name: value}}, {"event": "complete", "of"} once Tahu has accepted a birth or
//   data as being in order, {"event": "stale", "of", "name"}.
//   Read: {"device", "name", "value"} is sent as a command; "shutdown" ends the host in order.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Date;
import java.util.List;
import org.eclipse.tahu.host.HostApplication;
import org.eclipse.tahu.host.api.HostApplicationEventHandler;
import org.eclipse.tahu.message.SparkplugBPayloadDecoder;
import org.eclipse.tahu.message.model.DeviceDescriptor;
import org.eclipse.tahu.message.model.EdgeNodeDescriptor;
import org.eclipse.tahu.message.model.Message;
import org.eclipse.tahu.message.model.MessageType;
import org.eclipse.tahu.message.model.Metric;
import org.eclipse.tahu.message.model.Metric.MetricBuilder;
import org.eclipse.tahu.message.model.MetricDataType;
import org.eclipse.tahu.message.model.SparkplugBPayload.SparkplugBPayloadBuilder;
import org.eclipse.tahu.message.model.SparkplugDescriptor;
import org.eclipse.tahu.message.model.Topic;
import org.eclipse.tahu.model.MqttServerDefinition;
import org.eclipse.tahu.mqtt.MqttClientId;
import org.eclipse.tahu.mqtt.MqttServerName;
import org.eclipse.tahu.mqtt.MqttServerUrl;

public final class Host implements HostApplicationEventHandler {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] given) throws Exception {
    var server = new MqttServerDefinition(
        new MqttServerName("plant"), new MqttClientId("tahu-" + given[0], false),
        new MqttServerUrl(given[1]), null, null, 30, null);
    var host = new HostApplication(
        new Host(), given[0], List.of("spBv1.0/#"), List.of(server), null,
        new SparkplugBPayloadDecoder(), true);
    host.start(true);
    var lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = lines.readLine()) != null && !line.equals("shutdown"); ) {
      send(host, JSON.readTree(line));
    }
    host.shutdown();
    System.exit(0);
  }

  private static void send(HostApplication host, JsonNode told) throws Exception {
    var metric = new MetricBuilder(
        told.get("name").asText(), MetricDataType.String, told.get("value").asText()).createMetric();
    var payload = new SparkplugBPayloadBuilder().setTimestamp(new Date()).addMetric(metric);
    // Topic.parseTopic forgets the device.
    var device = new DeviceDescriptor(told.get("device").asText());
    host.publishCommand(new Topic("spBv1.0", device, MessageType.DCMD), payload.createPayload());
  }

  private static ObjectNode event(String name) {
    return JSON.createObjectNode().put("event", name);
  }

  private static synchronized void say(ObjectNode told) {
    System.out.println(told);
    System.out.flush();
  }

  private static void say(String name, SparkplugDescriptor of, Message message) {
    ObjectNode told = event(name).put("of", of.getDescriptorString());
    ObjectNode metrics = told.putObject("metrics");
    for (Metric metric : message.getPayload().getMetrics()) {
      metrics.putPOJO(metric.getName(), metric.getValue());
    }
    say(told);
  }

  private static void say(String name, SparkplugDescriptor of) {
    say(event(name).put("of", of.getDescriptorString()));
  }

  public void onConnect() { say(event("connected")); }
  public void onDisconnect() { say(event("disconnected")); }
  public void onMessage(SparkplugDescriptor of, Message message) {}
  public void onNodeBirthArrived(EdgeNodeDescriptor of, Message message) { say("birth", of, message); }
  public void onNodeBirthComplete(EdgeNodeDescriptor of) { say("complete", of); }
  public void onNodeDataArrived(EdgeNodeDescriptor of, Message message) { say("data", of, message); }
  public void onNodeDataComplete(EdgeNodeDescriptor of) { say("complete", of); }
  public void onNodeDeath(EdgeNodeDescriptor of, Message message) { say("death", of, message); }
  public void onNodeDeathComplete(EdgeNodeDescriptor of) {}
  public void onDeviceBirthArrived(DeviceDescriptor of, Message message) { say("birth", of, message); }
  public void onDeviceBirthComplete(DeviceDescriptor of) { say("complete", of); }
  public void onDeviceDataArrived(DeviceDescriptor of, Message message) { say("data", of, message); }
  public void onDeviceDataComplete(DeviceDescriptor of) { say("complete", of); }
  public void onDeviceDeath(DeviceDescriptor of, Message message) { say("death", of, message); }
  public void onDeviceDeathComplete(DeviceDescriptor of) {}
  public void onBirthMetric(SparkplugDescriptor of, Metric metric) {}
  public void onDataMetric(SparkplugDescriptor of, Metric metric) {}
  public void onStale(SparkplugDescriptor of, Metric metric) {
    say(event("stale").put("of", of.getDescriptorString()).put("name", metric.getName()));
  }
}
