// Lists alarms by ConditionRefresh and acknowledges them, as a SCADA system on Eclipse Milo does.
// What it is told and what it prints: see tests/integration/scada_adapter/foreign.py.

import static org.eclipse.milo.opcua.stack.core.types.builtin.unsigned.Unsigned.uint;

import java.security.KeyPair;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.eclipse.milo.opcua.sdk.client.OpcUaClient;
import org.eclipse.milo.opcua.sdk.client.api.identity.UsernameProvider;
import org.eclipse.milo.opcua.sdk.client.api.subscriptions.UaMonitoredItem;
import org.eclipse.milo.opcua.sdk.client.api.subscriptions.UaSubscription;
import org.eclipse.milo.opcua.stack.core.AttributeId;
import org.eclipse.milo.opcua.stack.core.Identifiers;
import org.eclipse.milo.opcua.stack.core.security.SecurityPolicy;
import org.eclipse.milo.opcua.stack.core.types.builtin.ByteString;
import org.eclipse.milo.opcua.stack.core.types.builtin.ExtensionObject;
import org.eclipse.milo.opcua.stack.core.types.builtin.LocalizedText;
import org.eclipse.milo.opcua.stack.core.types.builtin.NodeId;
import org.eclipse.milo.opcua.stack.core.types.builtin.QualifiedName;
import org.eclipse.milo.opcua.stack.core.types.builtin.Variant;
import org.eclipse.milo.opcua.stack.core.types.enumerated.FilterOperator;
import org.eclipse.milo.opcua.stack.core.types.enumerated.MessageSecurityMode;
import org.eclipse.milo.opcua.stack.core.types.enumerated.MonitoringMode;
import org.eclipse.milo.opcua.stack.core.types.enumerated.TimestampsToReturn;
import org.eclipse.milo.opcua.stack.core.types.structured.CallMethodRequest;
import org.eclipse.milo.opcua.stack.core.types.structured.ContentFilter;
import org.eclipse.milo.opcua.stack.core.types.structured.ContentFilterElement;
import org.eclipse.milo.opcua.stack.core.types.structured.EndpointDescription;
import org.eclipse.milo.opcua.stack.core.types.structured.EventFilter;
import org.eclipse.milo.opcua.stack.core.types.structured.LiteralOperand;
import org.eclipse.milo.opcua.stack.core.types.structured.MonitoredItemCreateRequest;
import org.eclipse.milo.opcua.stack.core.types.structured.MonitoringParameters;
import org.eclipse.milo.opcua.stack.core.types.structured.ReadValueId;
import org.eclipse.milo.opcua.stack.core.types.structured.SimpleAttributeOperand;
import org.eclipse.milo.opcua.stack.core.util.SelfSignedCertificateBuilder;
import org.eclipse.milo.opcua.stack.core.util.SelfSignedCertificateGenerator;

public final class Client {
  private static final long LIMIT_S = 100;
  private static final String URI = "urn:tests:milo";
  private static final List<String> FIELDS =
      List.of("EventId", "EventType", "Message", "ActiveState/Id", "AckedState/Id");

  private record Event(NodeId conditionId, ByteString eventId, String shown) {}

  private final OpcUaClient client;
  private List<Event> seen = List.of();

  private Client(OpcUaClient client) {
    this.client = client;
  }

  public static void main(String[] given) throws Exception {
    Client made = new Client(connected(given[0], given[1], given[2]));
    for (int step = 4; step < given.length; step += 3) {
      boolean looks = given[step].equals("look");
      String first = given[step + 1];
      String second = given[step + 2];
      System.out.println(looks ? made.look(first, second) : made.acknowledge(first, second));
    }
    made.client.disconnect().get(LIMIT_S, TimeUnit.SECONDS);
    System.exit(0);
  }

  private static OpcUaClient connected(String url, String user, String password) throws Exception {
    KeyPair keys = SelfSignedCertificateGenerator.generateRsaKeyPair(2048);
    var certificate =
        new SelfSignedCertificateBuilder(keys)
            .setCommonName("tests").setApplicationUri(URI).addDnsName("localhost").build();
    OpcUaClient client =
        OpcUaClient.create(
            url,
            endpoints -> endpoints.stream().filter(Client::isSecure).findFirst(),
            config ->
                config.setApplicationName(LocalizedText.english("tests")).setApplicationUri(URI)
                    .setKeyPair(keys).setCertificate(certificate)
                    .setIdentityProvider(new UsernameProvider(user, password))
                    .setRequestTimeout(uint(1000 * LIMIT_S)).build());
    client.connect().get(LIMIT_S, TimeUnit.SECONDS);
    return client;
  }

  private static boolean isSecure(EndpointDescription endpoint) {
    return endpoint.getSecurityPolicyUri().equals(SecurityPolicy.Basic256Sha256.getUri())
        && endpoint.getSecurityMode() == MessageSecurityMode.SignAndEncrypt;
  }

  private String look(String node, String kind) throws Exception {
    UaSubscription subscription =
        client.getSubscriptionManager().createSubscription(100.0).get(LIMIT_S, TimeUnit.SECONDS);
    List<Event> found = new ArrayList<>();
    var ended = new CompletableFuture<Void>();
    var parameters =
        new MonitoringParameters(
            subscription.nextClientHandle(), 0.0,
            ExtensionObject.encode(client.getStaticSerializationContext(), filter(kind)),
            uint(10000), true);
    var request =
        new MonitoredItemCreateRequest(
            new ReadValueId(
                NodeId.parse(node), AttributeId.EventNotifier.uid(), null, QualifiedName.NULL_VALUE),
            MonitoringMode.Reporting, parameters);
    List<UaMonitoredItem> items =
        subscription
            .createMonitoredItems(
                TimestampsToReturn.Neither, List.of(request),
                (item, number) -> item.setEventConsumer(new Collector(found, ended)::take))
            .get(LIMIT_S, TimeUnit.SECONDS);
    if (!items.get(0).getStatusCode().isGood()) {
      throw new IllegalStateException("monitored item: " + items.get(0).getStatusCode());
    }
    long before = System.nanoTime();
    long status =
        call(Identifiers.ConditionType, Identifiers.ConditionType_ConditionRefresh,
            new Variant(subscription.getSubscriptionId()));
    ended.get(LIMIT_S, TimeUnit.SECONDS);
    long listedMs = (System.nanoTime() - before) / 1_000_000;
    client.getSubscriptionManager().deleteSubscription(subscription.getSubscriptionId())
        .get(LIMIT_S, TimeUnit.SECONDS);
    seen = found;
    String events = found.stream().map(Event::shown).collect(Collectors.joining(", "));
    return "{\"status\": %d, \"listed_ms\": %d, \"events\": [%s]}"
        .formatted(status, listedMs, events);
  }

  private EventFilter filter(String kind) {
    Stream<SimpleAttributeOperand> fields =
        FIELDS.stream().map(path -> operand(Identifiers.BaseEventType, path, AttributeId.Value));
    var conditionId = operand(Identifiers.ConditionType, "", AttributeId.NodeId);
    var clauses =
        Stream.concat(fields, Stream.of(conditionId)).toArray(SimpleAttributeOperand[]::new);
    if (kind.equals("-")) {
      return new EventFilter(clauses, new ContentFilter(new ContentFilterElement[0]));
    }
    var wanted =
        ExtensionObject.encode(
            client.getStaticSerializationContext(),
            new LiteralOperand(new Variant(NodeId.parse(kind))));
    var element =
        new ContentFilterElement(FilterOperator.OfType, new ExtensionObject[] {wanted});
    return new EventFilter(clauses, new ContentFilter(new ContentFilterElement[] {element}));
  }

  private static SimpleAttributeOperand operand(NodeId type, String path, AttributeId attribute) {
    QualifiedName[] names =
        Arrays.stream(path.split("/")).filter(name -> !name.isEmpty())
            .map(name -> new QualifiedName(0, name)).toArray(QualifiedName[]::new);
    return new SimpleAttributeOperand(type, names, attribute.uid(), null);
  }

  private String acknowledge(String alarmId, String comment) throws Exception {
    NodeId condition = new NodeId(2, alarmId);
    Event event =
        seen.stream().filter(each -> condition.equals(each.conditionId())).findFirst()
            .orElseThrow(() -> new IllegalStateException("not seen: " + alarmId));
    long status =
        call(condition, Identifiers.AcknowledgeableConditionType_Acknowledge,
            new Variant(event.eventId()), new Variant(LocalizedText.english(comment)));
    return "{\"status\": %d}".formatted(status);
  }

  private long call(NodeId object, NodeId method, Variant... arguments) throws Exception {
    var request = new CallMethodRequest(object, method, arguments);
    var response = client.call(List.of(request)).get(LIMIT_S, TimeUnit.SECONDS);
    return response.getResults()[0].getStatusCode().getValue();
  }

  /** Keeps what comes between the start and the end of a refresh. */
  private static final class Collector {
    private final List<Event> found;
    private final CompletableFuture<Void> ended;
    private boolean began;

    Collector(List<Event> found, CompletableFuture<Void> ended) {
      this.found = found;
      this.ended = ended;
    }

    void take(Variant[] values) {
      Object type = values[1].getValue();
      if (Identifiers.RefreshStartEventType.equals(type)) {
        began = true;
      } else if (Identifiers.RefreshEndEventType.equals(type)) {
        ended.complete(null);
      } else if (began && !ended.isDone()) {
        found.add(eventOf(values));
      }
    }
  }

  private static Event eventOf(Variant[] values) {
    var eventId = (ByteString) values[0].getValue();
    var message = (LocalizedText) values[2].getValue();
    var conditionId = (NodeId) values[5].getValue();
    String shown =
        "{\"condition_id\": %s, \"event_id\": %s, \"message\": %s, \"active\": %s, \"acked\": %s}"
            .formatted(
                quoted(conditionId == null ? "" : conditionId.toParseableString()),
                quoted(HexFormat.of().formatHex(eventId.bytesOrEmpty())),
                quoted(message == null ? "" : message.getText()),
                values[3].getValue(), values[4].getValue());
    return new Event(conditionId, eventId, shown);
  }

  private static String quoted(String text) {
    StringBuilder made = new StringBuilder("\"");
    for (char each : text.toCharArray()) {
      boolean isPlain = each >= ' ' && each < 127 && each != '"' && each != '\\';
      made.append(isPlain ? String.valueOf(each) : "\\u%04x".formatted((int) each));
    }
    return made.append('"').toString();
  }
}
