package elasticsearch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// bulkAnswer is the answer of the bulk API, reduced by filter_path.
type bulkAnswer struct {
	Errors bool `json:"errors"`
	Items  []struct {
		Create item `json:"create"`
	} `json:"items"`
}

// item is what became of one alert.
type item struct {
	Status int `json:"status"`
	Error  struct {
		Type     string `json:"type"`
		Reason   string `json:"reason"`
		CausedBy struct {
			Reason string `json:"reason"`
		} `json:"caused_by"`
	} `json:"error"`
}

// parseBulk reads an answer. One that is none says nothing about the alerts: they are sent again, and those that are there
// already are known by their ids.
func parseBulk(answer []byte) (bulkAnswer, error) {
	var b bulkAnswer
	if err := json.Unmarshal(answer, &b); err != nil || len(answer) == 0 || !b.Errors && len(b.Items) == 0 {
		return b, verdict.Because(verdict.ServerError, fmt.Errorf("the answer is none of the bulk API: is hostport right? It begins with %q", begin(answer)))
	}
	return b, nil
}

func begin(answer []byte) string {
	text := alert.Printable(strings.ToValidUTF8(string(answer[:min(len(answer), 80)]), "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

// items gives what became of each of n alerts.
func (b *bulkAnswer) items(n int) []item {
	all := make([]item, n)
	for i := range all {
		switch {
		case !b.Errors:
			all[i].Status = http.StatusCreated
		case i < len(b.Items):
			all[i] = b.Items[i].Create
		}
	}
	return all
}

// verdict says what an item asks for.
func (i *item) verdict() error {
	if i.Status >= 200 && i.Status <= 299 || i.Status == http.StatusConflict { // a conflict: it is there already
		return nil
	}
	text := i.Error.Reason
	if i.Error.CausedBy.Reason != "" {
		text += ": " + i.Error.CausedBy.Reason
	}
	err := fmt.Errorf("%d %s: %s", i.Status, alert.Printable(i.Error.Type), shorten(alert.Printable(strings.Join(strings.Fields(text), " "))))
	switch {
	case i.Status == 0:
		return verdict.Because(verdict.ServerError, fmt.Errorf("the answer does not say what became of it"))
	case i.Status == http.StatusTooManyRequests:
		return verdict.Because(verdict.RateLimited, err)
	case i.Status == http.StatusNotFound: // no such index or pipeline: someone can make it
		return verdict.Because(verdict.NotFound, err)
	case i.Status == http.StatusUnauthorized:
		return verdict.Because(verdict.Auth, err)
	case i.Status == http.StatusForbidden && i.Error.Type == "cluster_block_exception": // its disk is full, or the index is read-only
		return verdict.Because(verdict.Storage, err)
	case i.Status == http.StatusForbidden:
		return verdict.Because(verdict.Auth, err)
	case i.Status >= 500:
		return verdict.Because(verdict.ServerError, err)
	}
	return verdict.Permanent(verdict.Because(verdict.Rejected, err))
}

func shorten(text string) string {
	const most = 400
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " [...]"
}

// Elasticsearch names the field that does not fit in several ways: "failed to parse field [output_fields.proc.pid] of
// type [long]", "object mapping for [output_fields.a] tried to parse field [a] as object, but found a concrete value",
// "can't merge a non object mapping [output_fields.a] with an object mapping".
var misfits = regexp.MustCompile(`(?:failed to parse field|object mapping for|non object mapping|non-nested mapping|failed to parse) \[output_fields\.([^\]]+)\]`)

// misfit names the field because of which an alert was refused, or nothing.
func (i *item) misfit() string {
	if i.Status != http.StatusBadRequest {
		return ""
	}
	switch i.Error.Type {
	case "mapper_parsing_exception", "document_parsing_exception", "illegal_argument_exception":
		if m := misfits.FindStringSubmatch(i.Error.Reason); m != nil {
			return m[1]
		}
	}
	return ""
}
