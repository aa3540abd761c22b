//go:build tools

// A linter of manifests that others wrote; CI builds it.
package tools

import _ "github.com/zegl/kube-score/cmd/kube-score"
