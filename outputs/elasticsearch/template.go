package elasticsearch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// ensureTemplate makes the index template, once, where it is asked for and there is none of that name. It does so before
// the first alert: later it would not count for the index that is there.
func (o *Output) ensureTemplate(ctx context.Context) error {
	if o.templated || !o.config.CreateIndexTemplate {
		return nil
	}
	address := o.base + "/_index_template/" + o.config.Index
	_, err := o.post(ctx, http.MethodGet, address, "", nil)
	var status *httpx.StatusError
	if err == nil {
		o.templated = true // someone may have changed it
		return nil
	}
	if !errors.As(err, &status) || status.Status != http.StatusNotFound {
		return err
	}
	body, err := json.Marshal(o.template())
	if err != nil {
		return err
	}
	if _, err := o.post(ctx, http.MethodPut, address, "application/json", body); err != nil {
		if verdict.IsPermanent(err) { // the template is refused, not the alert
			return verdict.Because(verdict.Rejected, errors.New("making the index template: "+err.Error()))
		}
		return err
	}
	o.templated = true
	return nil
}

// template is what an index is made with: texts as keywords, by which one can filter and count.
func (o *Output) template() map[string]any {
	pattern := o.config.Index + "-*"
	if o.suffix == "" {
		pattern = o.config.Index
	}
	keyword := map[string]any{"type": "keyword", "ignore_above": 8191}
	t := map[string]any{
		"index_patterns": []string{pattern},
		"priority":       500,
		"template": map[string]any{
			"settings": map[string]any{"number_of_shards": o.config.NumberOfShards, "number_of_replicas": o.config.NumberOfReplicas},
			"mappings": map[string]any{
				"dynamic_templates": []any{map[string]any{"texts": map[string]any{"match_mapping_type": "string", "mapping": keyword}}},
				"properties": map[string]any{
					"@timestamp":      map[string]any{"type": "date"},
					"time":            map[string]any{"type": "date"},
					"output":          map[string]any{"type": "text"},
					"rejected_fields": map[string]any{"type": "text"},
				},
			},
		},
	}
	if o.config.DataStream {
		t["data_stream"] = map[string]any{}
	}
	return t
}
