// Lists alarms by ConditionRefresh and acknowledges them, as a SCADA system on gopcua does.
// What it is told and what it prints: see tests/integration/scada_adapter/foreign.py.
package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

const limit = 100 * time.Second

var fields = [][]string{
	{"EventId"}, {"EventType"}, {"Message"}, {"ActiveState", "Id"}, {"AckedState", "Id"},
}

type event struct {
	ConditionID string `json:"condition_id"`
	EventID     string `json:"event_id"`
	Message     string `json:"message"`
	Active      any    `json:"active"`
	Acked       any    `json:"acked"`
}

// One subscription for all looks: gopcua 0.8 may hear nothing of a new one that is made right after
// the last was cancelled, because it may take "resume" before "pause".
type watcher struct {
	client       *opcua.Client
	subscription *opcua.Subscription
	told         <-chan *opcua.PublishNotificationData
}

func main() {
	url, user, password, folder, steps := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5:]
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	client := connected(ctx, url, user, password, folder)
	defer client.Close(ctx)
	told := make(chan *opcua.PublishNotificationData, 1000)
	subscription, err := client.Subscribe(
		ctx, &opcua.SubscriptionParameters{Interval: 100 * time.Millisecond}, told)
	check(err)
	watching := &watcher{client, subscription, told}
	var seen []event
	for len(steps) > 0 {
		var said any
		if steps[0] == "look" {
			seen, said = watching.look(ctx, steps[1], steps[2])
		} else {
			said = acknowledge(ctx, client, seen, steps[1], steps[2])
		}
		steps = steps[3:]
		line, err := json.Marshal(said)
		check(err)
		fmt.Println(string(line))
	}
}

func connected(ctx context.Context, url, user, password, folder string) *opcua.Client {
	endpoints, err := opcua.GetEndpoints(ctx, url)
	check(err)
	endpoint, err := opcua.SelectEndpoint(
		endpoints, "Basic256Sha256", ua.MessageSecurityModeSignAndEncrypt)
	check(err)
	client, err := opcua.NewClient(url,
		opcua.CertificateFile(folder+"/cert.der"), opcua.PrivateKey(keyOf(folder+"/key.pem")),
		opcua.AuthUsername(user, password),
		opcua.SecurityFromEndpoint(endpoint, ua.UserTokenTypeUserName), opcua.RequestTimeout(limit))
	check(err)
	check(client.Connect(ctx))
	return client
}

// gopcua's own reader of files takes no PKCS 8.
func keyOf(file string) *rsa.PrivateKey {
	content, err := os.ReadFile(file)
	check(err)
	block, _ := pem.Decode(content)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(err)
	return key.(*rsa.PrivateKey)
}

func (w *watcher) look(ctx context.Context, node, kind string) ([]event, any) {
	target, err := ua.ParseNodeID(node)
	check(err)
	request := opcua.NewMonitoredItemCreateRequestWithDefaults(
		target, ua.AttributeIDEventNotifier, 1)
	request.RequestedParameters.QueueSize = 10000
	request.RequestedParameters.Filter = filter(kind)
	items, err := w.subscription.Monitor(ctx, ua.TimestampsToReturnNeither, request)
	check(err)
	if code := items.Results[0].StatusCode; code != ua.StatusOK {
		log.Fatalf("monitored item: %v", code)
	}
	before := time.Now()
	status := call(ctx, w.client, ua.NewNumericNodeID(0, id.ConditionType),
		id.ConditionType_ConditionRefresh, ua.MustVariant(w.subscription.SubscriptionID))
	seen := refreshed(ctx, w.told)
	listed := time.Since(before)
	_, err = w.subscription.Unmonitor(ctx, items.Results[0].MonitoredItemID)
	check(err)
	return seen, map[string]any{
		"status": status, "listed_ms": listed.Milliseconds(), "events": seen,
	}
}

func filter(kind string) *ua.ExtensionObject {
	made := &ua.EventFilter{WhereClause: &ua.ContentFilter{}}
	for _, path := range fields {
		names := []*ua.QualifiedName{}
		for _, name := range path {
			names = append(names, &ua.QualifiedName{Name: name})
		}
		made.SelectClauses = append(made.SelectClauses, &ua.SimpleAttributeOperand{
			TypeDefinitionID: ua.NewNumericNodeID(0, id.BaseEventType),
			BrowsePath:       names, AttributeID: ua.AttributeIDValue,
		})
	}
	made.SelectClauses = append(made.SelectClauses, &ua.SimpleAttributeOperand{
		TypeDefinitionID: ua.NewNumericNodeID(0, id.ConditionType),
		BrowsePath:       []*ua.QualifiedName{}, AttributeID: ua.AttributeIDNodeID,
	})
	if kind != "-" {
		wanted, err := ua.ParseNodeID(kind)
		check(err)
		operand := &ua.LiteralOperand{Value: ua.MustVariant(wanted)}
		made.WhereClause.Elements = []*ua.ContentFilterElement{{
			FilterOperator: ua.FilterOperatorOfType,
			FilterOperands: []*ua.ExtensionObject{extension(operand, id.LiteralOperand_Encoding_DefaultBinary)},
		}}
	}
	return extension(made, id.EventFilter_Encoding_DefaultBinary)
}

func extension(value any, encoding uint32) *ua.ExtensionObject {
	return &ua.ExtensionObject{
		EncodingMask: ua.ExtensionObjectBinary,
		TypeID:       &ua.ExpandedNodeID{NodeID: ua.NewNumericNodeID(0, encoding)},
		Value:        value,
	}
}

func refreshed(ctx context.Context, told <-chan *opcua.PublishNotificationData) []event {
	seen, began := []event{}, false
	for {
		select {
		case <-ctx.Done():
			log.Fatal("the refresh does not end")
		case news := <-told:
			check(news.Error)
			list, ok := news.Value.(*ua.EventNotificationList)
			if !ok {
				continue
			}
			for _, each := range list.Events {
				switch each.EventFields[1].NodeID().IntID() {
				case id.RefreshStartEventType:
					began = true
				case id.RefreshEndEventType:
					return seen
				default:
					if began {
						seen = append(seen, eventOf(each.EventFields))
					}
				}
			}
		}
	}
}

func eventOf(values []*ua.Variant) event {
	made := event{
		EventID: hex.EncodeToString(values[0].ByteString()), Active: values[3].Value(),
		Acked: values[4].Value(),
	}
	if text := values[2].LocalizedText(); text != nil {
		made.Message = text.Text
	}
	if node := values[5].NodeID(); node != nil {
		made.ConditionID = node.String()
	}
	return made
}

func acknowledge(
	ctx context.Context, client *opcua.Client, seen []event, alarmID, comment string,
) any {
	node := ua.NewStringNodeID(2, alarmID)
	for _, each := range seen {
		if each.ConditionID == node.String() {
			token, err := hex.DecodeString(each.EventID)
			check(err)
			return map[string]any{"status": call(ctx, client, node,
				id.AcknowledgeableConditionType_Acknowledge, ua.MustVariant(token),
				ua.MustVariant(ua.NewLocalizedText(comment)))}
		}
	}
	log.Fatalf("not seen: %s", alarmID)
	return nil
}

func call(
	ctx context.Context, client *opcua.Client, object *ua.NodeID, method uint32, arguments ...*ua.Variant,
) uint32 {
	result, err := client.Call(ctx, &ua.CallMethodRequest{
		ObjectID: object, MethodID: ua.NewNumericNodeID(0, method), InputArguments: arguments,
	})
	check(err)
	return uint32(result.StatusCode)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
