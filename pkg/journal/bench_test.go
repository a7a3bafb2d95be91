package journal_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
)

// BenchmarkAppend writes one alert at a time from many goroutines, while one lane reads along.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []string{journal.SyncNone, journal.SyncAlways} {
		for _, producers := range []int{1, 64} {
			b.Run(fmt.Sprintf("sync=%s/producers=%d", sync, producers), func(b *testing.B) {
				cfg := testConfig(b)
				cfg.Sync = sync
				j := open(b, cfg)
				read(b, j, "loki", alert.Debug)
				alerts := []*alert.Alert{anAlert(b, 1, alert.Notice)}
				b.ReportAllocs()
				b.SetParallelism(producers)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := j.Append(b.Context(), alerts); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}

// BenchmarkCursor reads what was written before; each alert is parsed and done.
func BenchmarkCursor(b *testing.B) {
	cfg := testConfig(b)
	j := open(b, cfg)
	c := cursor(b, j, "loki", alert.Debug)
	many := make([]*alert.Alert, 256)
	for i := range many {
		many[i] = anAlert(b, i, alert.Notice)
	}
	for n := 0; n < b.N; n += len(many) {
		if err := j.Append(b.Context(), many); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	for read := 0; read < b.N; {
		entries, err := c.Next(ctx, 500, 0)
		if err != nil {
			b.Fatal(err)
		}
		c.Done(entries...)
		read += len(entries)
	}
	b.StopTimer()
	cancel()
	<-done
}
