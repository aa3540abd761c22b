// Reads manifests from standard input. Says of each custom resource what its own API refuses: a
// field that it does not know, a value of another type, a number of replicas that cannot be.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

type typed struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

var known = map[typed]func() any{
	{"cert-manager.io/v1", "Certificate"}:          func() any { return &certmanager.Certificate{} },
	{"cert-manager.io/v1", "Issuer"}:               func() any { return &certmanager.Issuer{} },
	{"keda.sh/v1alpha1", "ScaledObject"}:           func() any { return &keda.ScaledObject{} },
	{"monitoring.coreos.com/v1", "PodMonitor"}:     func() any { return &monitoring.PodMonitor{} },
	{"monitoring.coreos.com/v1", "PrometheusRule"}: func() any { return &monitoring.PrometheusRule{} },
}

func refused(document []byte) (string, error) {
	var it typed
	if err := strict.Unmarshal(document, &it); err != nil {
		return "", err
	}
	made, is := known[it]
	if !is {
		return "", nil
	}
	object := made()
	if err := strict.UnmarshalStrict(document, object); err != nil {
		return it.Kind, err
	}
	if scaled, is := object.(*keda.ScaledObject); is {
		return it.Kind, keda.CheckReplicaCountBoundsAreValid(scaled)
	}
	return it.Kind, nil
}

func main() {
	documents, code := yaml.NewYAMLReader(bufio.NewReader(os.Stdin)), 0
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			os.Exit(code)
		}
		kind, err := refused(document)
		switch {
		case err != nil:
			fmt.Printf("%s: %v\n", kind, err)
			code = 1
		case kind != "":
			fmt.Println("known", kind)
		}
	}
}
