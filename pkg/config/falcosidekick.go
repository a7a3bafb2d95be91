package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// switches are the keys that switch falcosidekick's outputs on. Sections named here are no unknown keys, whether the
// output exists here or not.
const switches = `
alertmanager.hostport aws.cloudwatchlogs.loggroup aws.kinesis.streamname aws.lambda.functionname aws.s3.bucket
aws.securitylake.bucket aws.sns.topicarn aws.sqs.url azure.eventhub.name cliq.webhookurl cloudevents.address
datadog.apikey datadoglogs.apikey discord.webhookurl dogstatsd.forwarder dynatrace.apitoken elasticsearch.hostport
fission.function gcp.chronicle.instanceid gcp.cloudfunctions.name gcp.cloudrun.endpoint gcp.pubsub.topic
gcp.storage.bucket googlechat.webhookurl gotify.hostport grafana.hostport grafanaoncall.webhookurl influxdb.hostport
kafka.hostport kafkarest.address kubeless.function logstash.address loki.hostport mattermost.webhookurl mqtt.broker
n8n.address nats.hostport nodered.address openfaas.functionname openobserve.hostport openreport.enabled
opsgenie.apikey otlp.logs.endpoint otlp.metrics.endpoint otlp.traces.endpoint pagerduty.routingkey
policyreport.enabled quickwit.hostport rabbitmq.url redis.address rocketchat.webhookurl slack.webhookurl
smtp.hostport splunk.host spyderbat.orguid stan.hostport statsd.forwarder sumologic.receiverurl syslog.host
talon.address teams.webhookurl tekton.eventlistener telegram.token timescaledb.host wavefront.endpointhost
webex.webhookurl webhook.address webui.url yandex.datastreams.streamname yandex.s3.bucket zincsearch.hostport`

// unbuiltNames lists the sections of falcosidekick's outputs.
func unbuiltNames() []string {
	var names []string
	for path := range strings.FieldsSeq(switches) {
		name, _, _ := strings.Cut(path, ".")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// unbuilt finds the settings that would switch on an output of falcosidekick that is not here yet.
type unbuilt struct {
	bySection map[string][]string // the switches below a section, "s3.bucket" below "aws"
	warn      func(at origin, key, text string)
}

const unbuiltText = "this output is not built yet; its alerts go nowhere"

// newUnbuilt leaves out the outputs that exist.
func newUnbuilt(root *setting, warn func(origin, string, string)) unbuilt {
	u := unbuilt{bySection: make(map[string][]string), warn: warn}
	for path := range strings.FieldsSeq(switches) {
		name, rest, _ := strings.Cut(path, ".")
		if root.child(name) == nil {
			u.bySection[name] = append(u.bySection[name], rest)
		}
	}
	return u
}

// section reports whether a section is one of an output that is not here, and warns when it switches that output on.
func (u unbuilt) section(name string, at origin, node *yaml.Node) bool {
	paths, ok := u.bySection[name]
	for _, path := range paths {
		if holds(node, strings.Split(path, ".")) {
			u.warn(at, outputOf(name, path), unbuiltText)
		}
	}
	return ok
}

// environment warns of each variable that switches on an output that is not here.
func (u unbuilt) environment(environ map[string]string) {
	for path := range strings.FieldsSeq(switches) {
		name, rest, _ := strings.Cut(path, ".")
		env := envName(path)
		if _, ok := u.bySection[name]; ok && isOn(environ[env]) {
			u.warn(origin{env: env}, outputOf(name, rest), unbuiltText)
		}
	}
}

// outputOf names an output by its section: "teams", or "aws.s3" where several share one.
func outputOf(name, path string) string {
	if part, _, ok := strings.Cut(path, "."); ok {
		return name + "." + part
	}
	return name
}

// holds reports whether the node at a path below n switches an output on.
func holds(n *yaml.Node, path []string) bool {
	n = resolve(n)
	switch {
	case len(path) == 0 && n.Kind == yaml.SequenceNode:
		return len(n.Content) > 0
	case len(path) == 0:
		return n.Kind == yaml.ScalarNode && n.Tag != "!!null" && isOn(n.Value)
	case n.Kind != yaml.MappingNode:
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if strings.EqualFold(n.Content[i].Value, path[0]) {
			return holds(n.Content[i+1], path[1:])
		}
	}
	return false
}

func isOn(value string) bool { return value != "" && !strings.EqualFold(value, "false") }

// owns reports whether a variable is one of an output that is not here.
func (u unbuilt) owns(name string) bool {
	section, _, _ := strings.Cut(strings.ToLower(name), "_")
	_, ok := u.bySection[section]
	return ok
}
