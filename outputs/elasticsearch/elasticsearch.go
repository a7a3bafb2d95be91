// Package elasticsearch writes alerts to Elasticsearch or OpenSearch, by their bulk API. Each alert's id is its UUID, so
// one that is sent twice is there once.
package elasticsearch

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Spec is the output.
var Spec = outputs.Define(outputs.Spec{
	Name:     "elasticsearch",
	Title:    "Elasticsearch and OpenSearch",
	Category: "logs",
	About:    "Writes alerts in bulk, each at most once, with a verdict for each.",
	Batch:    outputs.Batch{Max: 500, Bytes: 4 * size.MiB, Wait: 0},
}, Defaults, New)

// maxAnswer is how much of an answer is read: a verdict for each alert, with the reason where it was refused.
const maxAnswer = 4 << 20

// Output is one cluster.
type Output struct {
	client  *http.Client
	bulk    *url.URL
	base    string
	header  http.Header
	zipper  *httpx.Zipper // nil without compression
	secrets []string
	config  Config
	suffix  string

	templated bool // the index template is there
}

// New makes the output. It connects to nothing yet.
func New(env outputs.Env, c Config) (outputs.Output, error) {
	client, err := env.HTTP.Client(c.Settings)
	if err != nil {
		return nil, err
	}
	address, err := httpx.Address(c.HostPort)
	if err != nil {
		return nil, err
	}
	o := &Output{client: client, header: make(http.Header), config: c, suffix: c.layout()}
	o.header.Set("User-Agent", httpx.UserAgent(env.Version))
	o.authorize(address)
	c.Apply(o.header)
	o.base = strings.TrimRight(address.String(), "/")
	o.bulk, err = url.Parse(o.base + "/_bulk")
	if err != nil {
		return nil, err
	}
	// Of an item that went well the status is enough.
	query := url.Values{"filter_path": {"errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"}}
	if c.Pipeline != "" {
		query.Set("pipeline", c.Pipeline)
	}
	o.bulk.RawQuery = query.Encode()
	if c.EnableCompression {
		o.zipper = httpx.NewZipper()
	}
	for _, value := range c.CustomHeaders {
		o.secrets = append(o.secrets, value.Reveal())
	}
	return o, nil
}

// authorize sets the Authorization header: the API key, else the user of the config, else that of the address.
func (o *Output) authorize(address *url.URL) {
	user, password := o.config.Username, o.config.Password.Reveal()
	if in := address.User; in != nil && user == "" {
		user = in.Username()
		password, _ = in.Password()
	}
	address.User = nil
	key := o.config.APIKey.Reveal()
	switch {
	case key != "":
		o.secrets = append(o.secrets, key)
		if strings.Contains(key, ":") {
			key = base64.StdEncoding.EncodeToString([]byte(key))
		}
		o.header.Set("Authorization", "ApiKey "+key)
	case user != "":
		r := http.Request{Header: o.header}
		r.SetBasicAuth(user, password)
	}
	o.secrets = append(o.secrets, key, password)
}

// Send writes the batch. What is refused because a field does not fit the index is written once more with that field as
// text in rejected_fields; what is refused for another reason is buried, the others are there.
func (o *Output) Send(ctx context.Context, batch []*alert.Alert) error {
	if err := o.ensureTemplate(ctx); err != nil {
		return err
	}
	which := make([]int, len(batch))
	for i := range which {
		which[i] = i
	}
	failed := verdict.Partial{}
	o.deliver(ctx, batch, which, nil, failed)
	if len(batch) == 1 {
		return failed[0]
	}
	return failed.ErrOrNil()
}

// deliver writes the alerts that which lists. rejected are fields, by alert, that the index did not take.
func (o *Output) deliver(ctx context.Context, batch []*alert.Alert, which []int, rejected map[int][]string, failed verdict.Partial) {
	answer, err := o.write(ctx, batch, which, rejected)
	switch {
	case err == nil:
	case len(which) > 1 && verdict.IsPermanent(err) && verdict.ReasonOf(err) == verdict.TooLarge:
		half := len(which) / 2
		o.deliver(ctx, batch, which[:half], rejected, failed)
		o.deliver(ctx, batch, which[half:], rejected, failed)
		return
	default:
		for _, i := range which {
			failed[i] = err
		}
		return
	}
	again := make(map[int][]string)
	var order []int
	for n, item := range answer.items(len(which)) {
		i := which[n]
		err := item.verdict()
		if field := item.misfit(); field != "" && len(rejected[i]) < maxMisfits {
			again[i] = append(slices.Clone(rejected[i]), field)
			order = append(order, i)
			continue
		}
		if err != nil {
			failed[i] = err
		}
	}
	if len(order) > 0 {
		o.deliver(ctx, batch, order, again, failed)
	}
}

// maxMisfits is how many fields of one alert may be put aside.
const maxMisfits = 3

// write makes one bulk request.
func (o *Output) write(ctx context.Context, batch []*alert.Alert, which []int, rejected map[int][]string) (bulkAnswer, error) {
	body := make([]byte, 0, 2048*len(which))
	for _, i := range which {
		body = o.appendAction(body, batch[i])
		body = o.appendDocument(body, batch[i], rejected[i])
	}
	answer, err := o.post(ctx, http.MethodPost, o.bulk.String(), "application/x-ndjson", body)
	if err != nil {
		return bulkAnswer{}, err
	}
	return parseBulk(answer)
}

func (o *Output) post(ctx context.Context, method, address, contentType string, body []byte) ([]byte, error) {
	header := o.header.Clone()
	if body != nil {
		header.Set("Content-Type", contentType)
	}
	if o.zipper != nil && body != nil {
		body = o.zipper.Compress(body)
		header.Set("Content-Encoding", "gzip")
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	req.Header = header
	answer, _, err := httpx.DoWhole(ctx, o.client, req, maxAnswer, o.secrets...) //nolint:bodyclose // it has been read and closed
	return answer, err
}

// Check asks for the cluster's name and version, which needs no more than valid credentials.
func (o *Output) Check(ctx context.Context) error {
	_, err := o.post(ctx, http.MethodGet, o.base+"/", "", nil)
	return err
}

// Close frees the connections.
func (o *Output) Close() error {
	o.client.CloseIdleConnections()
	return nil
}
