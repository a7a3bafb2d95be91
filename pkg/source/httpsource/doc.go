// Package httpsource takes alerts in over HTTP. It stands in for falcosidekick: the same port, paths, methods and
// answers, so that Falco and what watches falcosidekick need no change. It answers 200 only once every alert of the
// body is safe, and refuses all of a body when one of its values is at fault.
package httpsource
