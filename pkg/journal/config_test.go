package journal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
)

func TestValidateNamesEveryProblem(t *testing.T) {
	address := func(url string) func(*journal.Config) { return func(c *journal.Config) { c.URL = url } }
	for name, c := range map[string]struct {
		change func(*journal.Config)
		keys   string
	}{
		"defaults":        {func(*journal.Config) {}, ""},
		"choices":         {func(c *journal.Config) { c.Storage, c.Sync, c.Full = "disk", "", "drop" }, "storage sync full"},
		"times":           {func(c *journal.Config) { c.SyncInterval, c.MaxAge, c.FullWait, c.DeadLetters.MaxAge = 0, -1, -1, -1 }, "syncinterval maxage fullwait deadletters.maxage"},
		"no times":        {func(c *journal.Config) { c.MaxAge, c.FullWait, c.DeadLetters.MaxAge = 0, 0, 0 }, ""},
		"sizes":           {func(c *journal.Config) { c.MaxSize, c.DeadLetters.MaxSize = 1, 1 }, "maxsize deadletters.maxsize"},
		"two copies":      {func(c *journal.Config) { c.URL, c.Replicas = "nats://one", 2 }, "replicas"},
		"copies, alone":   {func(c *journal.Config) { c.Replicas = 3 }, "replicas"},
		"copies":          {func(c *journal.Config) { c.URL, c.Replicas = "nats://one", 3 }, ""},
		"prefix":          {func(c *journal.Config) { c.Prefix = "a.b" }, "prefix"},
		"one address":     {address("tls://one:4222"), ""},
		"short addresses": {address("one, two:4222,me:hush@three:4222"), ""},
		"of the web":      {address("nats://one:4222,http://two:4222"), "url"},
		"no port":         {address("nats://hush:hush@one:nats"), "url"},
		"no host":         {address("nats://:4222"), "url"},
		"a lone comma":    {address("nats://one:4222,"), "url"},
		"nobody's":        {func(c *journal.Config) { c.URL, c.Password = "nats://one", secret.New("hush") }, "password"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := journal.Defaults()
			c.change(&cfg)
			var keys []string
			for _, err := range problem.Each(cfg.Validate()) {
				p, ok := errors.AsType[*problem.Problem](err)
				if !ok || strings.Contains(err.Error(), "hush") {
					t.Errorf("no problem, or one that shows a secret: %v", err)
					continue
				}
				keys = append(keys, p.Key)
			}
			if got := strings.Join(keys, " "); got != c.keys {
				t.Errorf("%q, want %q", got, c.keys)
			}
		})
	}
}
