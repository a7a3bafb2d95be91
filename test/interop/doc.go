// Package interop holds witnesses from outside, as tests: what Grafana's own client pushes, what Loki's own types
// decode, and, with the build tag loki, a real Loki. It is a module of its own, so that their hundreds of modules stay
// out of the product's go.sum.
//
//	go test ./...             # seconds, once it is compiled
//	go test -tags loki ./...  # builds Loki first, from the module in lokiserver: some minutes, once
//
// Loki is kept in the user's cache folder, tiercel/tools. The variable TIERCEL_LOKI names another to try.
package interop
