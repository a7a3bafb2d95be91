package loki_test

import (
	"context"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/loki"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/secret"
)

func TestContract(t *testing.T) {
	outputtest.Run(t, timely(), func(server string) outputs.Config {
		c := loki.Defaults()
		c.HostPort = server
		c.Tenant = "team-a"
		c.User, c.APIKey = "admin", secret.New("hush-api-key")
		c.CustomHeaders = map[string]secret.String{"x-api-key": secret.New("hush-header-token")}
		return &c
	}, outputtest.Yes(204, ""), outputtest.Show(show))
}

func show(r outputtest.Request) string {
	streams, err := decode(r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		return err.Error()
	}
	return render(streams)
}

// timely is the output with one change: an alert of the year 9999, which Loki has no number for (see
// TestTimeOutOfRange), is sent with another time, so that the contract sees all the rest of it.
func timely() outputs.Spec {
	spec := loki.Spec
	create := spec.New
	spec.New = func(env outputs.Env, config outputs.Config) (outputs.Output, error) {
		o, err := create(env, config)
		if err != nil {
			return nil, err
		}
		return shifted{o.(*loki.Output)}, nil
	}
	return spec
}

type shifted struct{ *loki.Output }

func (s shifted) Send(ctx context.Context, batch []*alert.Alert) error {
	moved := make([]*alert.Alert, len(batch))
	for i, a := range batch {
		if moved[i] = a; a.Time.Year() > 2262 {
			moved[i] = a.Clone()
			moved[i].Time = time.Date(2026, 8, 17, 9, 47, 21, 0, time.UTC)
		}
	}
	return s.Output.Send(ctx, moved)
}
