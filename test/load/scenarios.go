package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// threeBatches is a config with three outputs that take batches, each of which reads every alert.
func threeBatches(sync, sink string) string {
	loki := func(name string) string {
		return fmt.Sprintf("%s:\n  hostport: http://%s\n", name, sink)
	}
	return "log: {level: warn}\njournal: {dir: DIR/journal, sync: " + sync + "}\n" + loki("loki") + loki("loki/two") + loki("loki/three")
}

// measured is a server under load.
type measured struct {
	name    string
	process *process
	perPost int
	rates   []float64
	ratios  []float64 // to the bare gin of the same round
	cpus    []float64 // microseconds per alert
	p50s    []float64 // ms
	p99s    []float64
}

// rate measures alerts/s in rounds, in turn, against bare gin.
func rate(ctx context.Context, b *bench) error {
	sink, err := newSink(ctx, "127.0.0.1:0", false)
	if err != nil {
		return err
	}
	defer sink.close()
	bare, err := b.startGin(ctx)
	if err != nil {
		return err
	}
	defer bare.stop()
	under := []*measured{{name: "bare gin, 200", process: bare, perPost: 1}}
	for _, sync := range []string{"none", "always"} {
		for _, perPost := range []int{1, 100} {
			p, err := b.startTiercel(ctx, threeBatches(sync, sink.addr))
			if err != nil {
				return err
			}
			defer p.stop()
			under = append(under, &measured{name: fmt.Sprintf("tiercel, %d per POST, sync: %s", perPost, sync), process: p, perPost: perPost})
		}
	}
	for range b.rounds {
		mark := 0.0
		for i, m := range under {
			before := m.process.cpu()
			result, err := load{addr: m.process.addr, connections: 64, perPost: m.perPost, length: b.length}.send(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			if i == 0 {
				mark = result.perSecond()
			} else if err := m.process.drained(ctx, time.Minute); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			m.rates = append(m.rates, result.perSecond())
			m.ratios = append(m.ratios, 100*result.perSecond()/mark)
			m.cpus = append(m.cpus, float64((m.process.cpu()-before).Microseconds())/float64(result.accepted))
			m.p50s = append(m.p50s, float64(result.percentile(0.5).Microseconds())/1000)
			m.p99s = append(m.p99s, float64(result.percentile(0.99).Microseconds())/1000)
		}
	}
	fmt.Fprintf(b.out, "%-36s %10s %28s %16s %12s %8s\n", "", "alerts/s", "% of bare gin (min to max)", "p50 / p99 ms", "CPU us/alert", "peak MB")
	for _, m := range under {
		_, peak := m.process.memory()
		fmt.Fprintf(b.out, "%-36s %10.0f %28s %7.1f / %6.1f %12.1f %8.0f\n", m.name, median(m.rates), spread(m.ratios, "%.0f"),
			median(m.p50s), median(m.p99s), median(m.cpus), peak)
	}
	return nil
}

// everyKind is a config with a webhook, Loki and Slack.
func everyKind(sync, webhook, loki, slack string) string {
	return fmt.Sprintf("log: {level: warn}\njournal: {dir: DIR/journal, sync: %s}\nwebhook: {address: 'http://%s/hook'}\nloki: {hostport: 'http://%s'}\n"+
		"slack: {webhookurl: 'http://%s/services/x', minimumpriority: critical}\n", sync, webhook, loki, slack)
}

// cpu measures processor time per alert at a steady rate.
func cpu(ctx context.Context, b *bench) error {
	sink, err := newSink(ctx, "127.0.0.1:0", false)
	if err != nil {
		return err
	}
	defer sink.close()
	p, err := b.startTiercel(ctx, everyKind("always", sink.addr, sink.addr, sink.addr))
	if err != nil {
		return err
	}
	defer p.stop()
	for _, at := range []float64{0, 2000} {
		var costs, rates []float64
		for range b.rounds {
			before := p.cpu()
			result, err := load{addr: p.addr, connections: 64, perPost: 1, rate: at, length: b.length}.send(ctx)
			if err != nil {
				return err
			}
			if err := p.drained(ctx, 2*time.Minute); err != nil {
				return err
			}
			costs = append(costs, float64((p.cpu()-before).Microseconds())/float64(result.accepted))
			rates = append(rates, result.perSecond())
		}
		name := fmt.Sprintf("at %.0f alerts/s", at)
		if at == 0 {
			name = fmt.Sprintf("as fast as answered, %.0f alerts/s", median(rates))
		}
		fmt.Fprintf(b.out, "%-48s %s us/alert\n", "webhook (one request each) + Loki + Slack, "+name, spread(costs, "%.0f"))
	}
	return nil
}

// memory measures resident memory.
func memory(ctx context.Context, b *bench) error {
	sink, err := newSink(ctx, "127.0.0.1:0", false)
	if err != nil {
		return err
	}
	defer sink.close()
	p, err := b.startTiercel(ctx, threeBatches("always", sink.addr))
	if err != nil {
		return err
	}
	defer p.stop()
	time.Sleep(3 * time.Second)
	idle, _ := p.memory()
	fmt.Fprintf(b.out, "idle                                   %4.0f MB\n", idle)
	if _, err := (load{addr: p.addr, connections: 64, perPost: 1, length: 10 * time.Second}).send(ctx); err != nil {
		return err
	}
	_, peak := p.memory()
	fmt.Fprintf(b.out, "full rate for 10 s, peak               %4.0f MB\n", peak)

	hanging, err := newSink(ctx, "127.0.0.1:0", true)
	if err != nil {
		return err
	}
	defer hanging.close()
	other, err := newSink(ctx, "127.0.0.1:0", true)
	if err != nil {
		return err
	}
	defer other.close()
	p2, err := b.startTiercel(ctx, fmt.Sprintf("log: {level: warn}\njournal: {dir: DIR/journal}\nwebhook: {address: 'http://%s/hook'}\nloki: {hostport: 'http://%s'}\n", hanging.addr, other.addr))
	if err != nil {
		return err
	}
	defer p2.stop()
	hanging.use(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	before, _, err := p2.metric(ctx, "go_goroutines")
	if err != nil {
		return err
	}
	// The connections of senders and outputs cost goroutines, so they are counted while all are there.
	var during [2]float64
	var looking sync.WaitGroup
	for i, at := range []time.Duration{5 * time.Second, 55 * time.Second} {
		looking.Go(func() {
			time.Sleep(at)
			during[i], _, _ = p2.metric(ctx, "go_goroutines")
		})
	}
	result, err := load{addr: p2.addr, connections: 8, perPost: 1, rate: 2000, length: time.Minute}.send(ctx)
	if err != nil {
		return err
	}
	looking.Wait()
	_, peak = p2.memory()
	fmt.Fprintf(b.out, "an output hangs for a minute, 2,000/s  %4.0f MB peak; goroutines %.0f before, %.0f after 5 s, %.0f after 55 s; the other output lacks %d of %d\n",
		peak, before, during[0], during[1], int(result.accepted)-other.count(), result.accepted)
	hanging.use(nil)
	if err := p2.drained(ctx, 3*time.Minute); err != nil {
		return err
	}
	_, peak = p2.memory()
	fmt.Fprintf(b.out, "and after the backlog was delivered    %4.0f MB peak; the hanging output lacks %d of %d\n", peak, int(result.accepted)-hanging.count(), result.accepted)
	return nil
}

// latency measures the time to the answer.
func latency(ctx context.Context, b *bench) error {
	sink, err := newSink(ctx, "127.0.0.1:0", false)
	if err != nil {
		return err
	}
	defer sink.close()
	quick, err := b.startTiercel(ctx, threeBatches("none", sink.addr))
	if err != nil {
		return err
	}
	defer quick.stop()
	safe, err := b.startTiercel(ctx, threeBatches("always", sink.addr))
	if err != nil {
		return err
	}
	defer safe.stop()
	var p50s, p99s, ones, disk []float64
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	for range b.rounds {
		result, err := load{addr: quick.addr, connections: 64, perPost: 1, rate: 10000, length: b.length}.send(ctx)
		if err != nil {
			return err
		}
		p50s, p99s = append(p50s, ms(result.percentile(0.5))), append(p99s, ms(result.percentile(0.99)))
		result, err = load{addr: safe.addr, connections: 1, perPost: 1, length: b.length}.send(ctx)
		if err != nil {
			return err
		}
		ones = append(ones, ms(result.percentile(0.5)))
		own, err := fsyncTime(safe.dir)
		if err != nil {
			return err
		}
		disk = append(disk, ms(own))
	}
	fmt.Fprintf(b.out, "10,000 alerts/s, 64 connections, sync: none     p50 %s ms, p99 %s ms\n", spread(p50s, "%.1f"), spread(p99s, "%.1f"))
	fmt.Fprintf(b.out, "one connection, sync: always                    p50 %s ms; a write and fsync of 1 KB on this disk: %s ms\n", spread(ones, "%.2f"), spread(disk, "%.2f"))
	return nil
}

// fsyncTime is the median time of a write and fsync of a kilobyte at a file's end.
func fsyncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 1024)
	var times []time.Duration
	for range 300 {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// slow measures the delay to a destination that takes its time.
func slow(ctx context.Context, b *bench) error {
	sink, err := newSink(ctx, "127.0.0.1:0", true)
	if err != nil {
		return err
	}
	defer sink.close()
	p, err := b.startTiercel(ctx, fmt.Sprintf("log: {level: warn}\njournal: {dir: DIR/journal}\nwebhook: {address: 'http://%s/hook'}\n", sink.addr))
	if err != nil {
		return err
	}
	defer p.stop()
	sent := map[string]time.Time{}
	sink.use(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(100 * time.Millisecond)
		sink.note(r)
	})
	client := &http.Client{}
	for n := range int64(1500) {
		due := time.Now().Add(20 * time.Millisecond)
		sent[fmt.Sprintf("%010d", n)] = time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr, strings.NewReader(string(body(n, 1, 60))))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		time.Sleep(time.Until(due))
	}
	if err := p.drained(ctx, time.Minute); err != nil {
		return err
	}
	var delays []time.Duration
	for id, at := range sent {
		if came, ok := sink.seen[id]; ok {
			delays = append(delays, came.Sub(at))
		}
	}
	o := outcome{latencies: delays}
	fmt.Fprintf(b.out, "1,500 alerts at 50/s, 8 nodes: %d delivered, delay p50 %s, p99 %s, longest %s\n", len(delays),
		o.percentile(0.5).Round(time.Millisecond), o.percentile(0.99).Round(time.Millisecond), o.percentile(1).Round(time.Millisecond))
	return nil
}

// outage loses nothing, or says how much.
func outage(ctx context.Context, b *bench) error {
	for _, kind := range []string{"500", "503 with Retry-After", "refused connections"} {
		var sinks []*sink
		for range 2 {
			s, err := newSink(ctx, "127.0.0.1:0", true)
			if err != nil {
				return err
			}
			defer s.close()
			sinks = append(sinks, s)
		}
		p, err := b.startTiercel(ctx, fmt.Sprintf("log: {level: warn}\njournal: {dir: DIR/journal}\nwebhook: {address: 'http://%s/hook'}\nloki: {hostport: 'http://%s'}\n", sinks[0].addr, sinks[1].addr))
		if err != nil {
			return err
		}
		defer p.stop()
		trouble := time.AfterFunc(3*time.Second, func() {
			for _, s := range sinks {
				switch kind {
				case "500":
					s.use(status(500))
				case "503 with Retry-After":
					s.use(status(503, "Retry-After", "1"))
				default:
					s.close()
				}
			}
		})
		defer trouble.Stop()
		var back []*sink
		over := time.AfterFunc(8*time.Second, func() {
			for _, s := range sinks {
				if kind == "refused connections" {
					again, err := newSink(ctx, s.addr, true)
					if err == nil {
						back = append(back, again)
					}
				}
				s.use(nil)
			}
		})
		defer over.Stop()
		result, err := load{addr: p.addr, connections: 8, perPost: 1, rate: 1000, limit: 20000}.send(ctx)
		if err != nil {
			return err
		}
		if err := p.drained(ctx, 2*time.Minute); err != nil {
			return err
		}
		lost := [2]int{}
		for i, s := range sinks {
			all := map[string]bool{}
			for id := range s.seen {
				all[id] = true
			}
			if len(back) > i {
				for id := range back[i].seen {
					all[id] = true
				}
				defer back[i].close()
			}
			lost[i] = int(result.accepted) - len(all)
		}
		fmt.Fprintf(b.out, "5 s of %-22s %d accepted, lost: webhook %d, Loki %d\n", kind+":", result.accepted, lost[0], lost[1])
	}
	return nil
}

// pods sends alerts of very many pods.
func pods(ctx context.Context, b *bench) error {
	sink, err := newSink(ctx, "127.0.0.1:0", false)
	if err != nil {
		return err
	}
	defer sink.close()
	p, err := b.startTiercel(ctx, threeBatches("none", sink.addr))
	if err != nil {
		return err
	}
	defer p.stop()
	result, err := load{addr: p.addr, connections: 16, perPost: 10, pods: 100_000, limit: 200_000}.send(ctx)
	if err != nil {
		return err
	}
	if err := p.drained(ctx, time.Minute); err != nil {
		return err
	}
	_, page, err := p.metric(ctx, "go_goroutines")
	if err != nil {
		return err
	}
	now, peak := p.memory()
	fmt.Fprintf(b.out, "%d alerts of 100,000 pods: metrics page %d kB, resident %.0f MB (peak %.0f)\n", result.accepted, page/1000, now, peak)
	return nil
}
