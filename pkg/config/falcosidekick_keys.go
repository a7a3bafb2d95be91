package config

import "strings"

// documented lists what can be set of falcosidekick's outputs: in its example file, by its variables, by its chart. A
// line is an output: its path, then its keys. The first switches the output on; a - there says that the keys belong to
// several outputs. Behind a = stand the values that its example and its chart set though they say nothing, with a |
// between two. @http stands for what all its outputs over HTTP have, @any for the minimum priority.
//
// Where its chart sets a variable that falcosidekick does not read, the name that would be read from it is here too:
// cloudevents.extension, telegram.message_thread_id, alertmanager.expireafter.
const documented = `
alertmanager hostport endpoint=/api/v1/alerts|/api/v2/alerts expiresafter=0 expireafter extralabels extraannotations customseveritymap dropeventdefaultpriority=critical dropeventthresholds customheaders @any @http
aws - accesskeyid secretaccesskey region rolearn externalid checkidentity=true useirsa=true
aws.cloudwatchlogs loggroup logstream @any
aws.kinesis streamname @any
aws.lambda functionname invocationtype=RequestResponse logtype=Tail @any
aws.s3 bucket prefix=falco endpoint objectcannedacl=bucket-owner-full-control @any
aws.securitylake bucket region prefix interval=5 batchsize=1000 accountid @any
aws.sns topicarn rawjson=false @any
aws.sqs url @any
azure - subscriptionid resourcegroupname podidentityclientid podidentityname workloadidentityclientid
azure.eventhub name namespace @any
cliq webhookurl icon outputformat=all|text|fields useemoji=false|true messageformat @any @http
cloudevents address extensions extension @any @http
datadog apikey host=https://api.datadoghq.com @any @http
datadoglogs apikey host=https://http-intake.logs.datadoghq.com/ service=falco @any @http
discord webhookurl icon @any @http
dogstatsd forwarder namespace=falcosidekick. tags
dynatrace apitoken apiurl @any checkcert=true
elasticsearch hostport index=falco type=_doc|event suffix=daily pipeline username password apikey flattenfields=false createindextemplate=false numberofshards=3 numberofreplicas=3 enablecompression=false batching.enabled=false|true batching.batchsize=5242880 batching.flushinterval=1s customheaders @any @http
fission function routernamespace=fission routerservice=router routerport=80 functionnamespace=fission-function kubeconfig=~/.kube/config @any @http
gcp - credentials workloadidentity=false
gcp.chronicle instanceid projectid region @any
gcp.cloudfunctions name @any
gcp.cloudrun endpoint jwt @any
gcp.pubsub topic projectid customattributes @any
gcp.storage bucket prefix @any
googlechat webhookurl outputformat=all|text messageformat @any @http
gotify hostport token format=markdown @any checkcert=true
grafana hostport apikey dashboardid=0 panelid=0 allfieldsastags=false customheaders @any @http
grafanaoncall webhookurl customheaders @any @http
influxdb hostport database=falco organization bucket=falco precision=ns user password token @any @http
kafka hostport topic sasl tls=false username password balancer=round_robin clientid compression=NONE async=false requiredacks=NONE topiccreation=false @any
kafkarest address version=2 @any @http
kubeless function namespace port=8080 kubeconfig=~/.kube/config @any @http
logstash address port=5044 protocol tls=false mutualtls=false certfile keyfile cacertfile checkcert=true tags @any
loki hostport endpoint=/loki/api/v1/push user apikey tenant format=text extralabels customheaders @any @http
mattermost webhookurl footer icon username=Falcosidekick outputformat=all|text|fields messageformat @any @http
mqtt broker topic=falco/events qos=0 retained=false user password checkcert=true @any
n8n address user password headerauthname headerauthvalue checkcert=true @any
nats hostport subjecttemplate=falco.<priority>.<rule> clusterid clientid @any @http
nodered address user password customheaders checkcert=true @any
openfaas functionname functionnamespace=openfaas-fn gatewaynamespace=openfaas gatewayservice=gateway gatewayport=8080 kubeconfig=~/.kube/config @any @http
openobserve hostport organizationname=default streamname=falco username password customheaders @any @http
openreport enabled kubeconfig=~/.kube/config falconamespace maxevents=1000 prunebypriority=false @any
opsgenie apikey region=us|eu @any @http
otlp.logs endpoint protocol=http/protobuf|grpc timeout=10000 headers extraenvvars tls checkcert=true synced=false @any
otlp.metrics endpoint protocol=http/protobuf|grpc timeout=10000 headers extraenvvars extraattributes checkcert=true @any
otlp.traces endpoint protocol=http/json|http/protobuf|grpc timeout=10000 headers extraenvvars synced=false duration=1000 checkcert=true @any
pagerduty routingkey region=us @any @http
policyreport enabled kubeconfig=~/.kube/config falconamespace maxevents=1000 prunebypriority=false minimumpriority=debug
quickwit hostport index=falco apiendpoint=api/v1 version=0.7 autocreateindex=false customheaders @any @http
rabbitmq url queue @any
redis address username password database=0 storagetype=list key=falco tls=false certfile keyfile cacertfile customheaders @any @http
rocketchat webhookurl footer icon username=Falcosidekick outputformat=all|text|fields messageformat @any @http
slack webhookurl channel footer icon username=Falcosidekick outputformat=all|text|fields messageformat @any @http
smtp hostport tls=true from to outputformat=html authmechanism=plain user password token identity trace @any
splunk host token customheaders @any @http
spyderbat orguid apikey apiurl=https://api.spyderbat.com source=falcosidekick sourcedescription @any
stan hostport clusterid clientid @any @http
statsd forwarder namespace=falcosidekick. tags
sumologic receiverurl sourcecategory sourcehost name @any @http
syslog host port protocol=tcp format=json @any
talon address checkcert=true @any @http
teams webhookurl activityimage outputformat=all|text|facts @any @http
tekton eventlistener checkcert=true @any @http
telegram token chatid messagethreadid message_thread_id host=https://api.telegram.org checkcert=true @any
timescaledb host port=5432 user=postgres password=postgres database=falcosidekick|falco hypertablename=falcosidekick_events|falco_events @any
wavefront endpointhost endpointtype=direct endpointtoken endpointmetricport=2878 metricname=falco.alert batchsize=10000 flushintervalseconds=1 flushintervalsecods=1 @any
webex webhookurl @any @http
webhook address method=POST customheaders @any @http
webui url enabled=false @http
yandex - accesskeyid secretaccesskey region=ru-central1|ru-central-1
yandex.datastreams streamname endpoint=https://yds.serverless.yandexcloud.net @any
yandex.s3 bucket endpoint=https://storage.yandexcloud.net prefix=falco @any
zincsearch hostport index=falco username password checkcert=true @any`

// macros are what the @ words stand for.
var macros = map[string]string{
	"@any":  "minimumpriority",
	"@http": "mutualtls=false checkcert=true maxconcurrentrequests=1",
}

// foreign is one of falcosidekick's outputs, or a section that several share.
type foreign struct {
	path string              // "aws.s3"
	on   string              // the key that switches it on; empty for a shared section
	keys []string            // in the order of the table
	idle map[string][]string // by key, the values that say nothing
}

// foreigners reads the table, in its order.
func foreigners() []foreign {
	var all []foreign
	for line := range strings.SplitSeq(strings.TrimSpace(documented), "\n") {
		for macro, keys := range macros {
			line = strings.ReplaceAll(line, macro, keys)
		}
		words := strings.Fields(line)
		f := foreign{path: words[0], idle: make(map[string][]string)}
		for i, word := range words[1:] {
			key, idle, _ := strings.Cut(word, "=")
			if key == "-" {
				continue
			}
			if i == 0 {
				f.on = key
			}
			if _, twice := f.idle[key]; !twice {
				f.keys = append(f.keys, key)
			}
			f.idle[key] = append(f.idle[key], strings.Split(idle, "|")...)
		}
		all = append(all, f)
	}
	return all
}

// section is the first part of its path.
func (f *foreign) section() string {
	name, _, _ := strings.Cut(f.path, ".")
	return name
}

// has reports whether it has a key.
func (f *foreign) has(key string) bool {
	_, ok := f.idle[key]
	return ok
}

// says reports whether a value of a key says more than that nobody has set it.
func (f *foreign) says(key, value string) bool {
	value = strings.TrimSpace(value)
	for _, idle := range append(f.idle[key], "") {
		if strings.EqualFold(value, idle) {
			return false
		}
	}
	return true
}
