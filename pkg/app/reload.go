package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/flow"
	"github.com/tiercel/tiercel/pkg/normalize"
)

// reloader takes another config into a running part of the app. prepare makes what is needed, and changes nothing yet; an
// error keeps the config that is in force. commit, if it is not nil, puts it in force and cannot fail. takes lists the
// settings, by the begin of their path, that need no restart because of it.
type reloader struct {
	name    string
	takes   []string
	prepare func(ctx context.Context, cfg *config.Config) (commit func(), err error)
}

// onReload adds a part of the app that takes another config while it runs.
func (a *App) onReload(r reloader) { a.reload.parts = append(a.reload.parts, r) }

// reload is what the app knows about the config that is in force.
type reload struct {
	load    func() (*config.Config, []config.Warning, error) // nil: it is never read again
	signals <-chan os.Signal
	deps    Deps
	parts   []reloader
	began   [sha256.Size]byte // of the files of the first config: what is written while the journal opens is a change

	mu      sync.Mutex // one at a time; guards what follows
	cfg     *config.Config
	certs   [sha256.Size]byte  // of the files with certificates
	outputs map[string]*staged // metrics of each output

	state struct {
		sync.Mutex
		failed string // why the last one failed
		at     time.Time
	}
	results *prometheus.CounterVec
	good    prometheus.Gauge
	last    prometheus.Gauge
}

func (r *reload) register(reg prometheus.Registerer) {
	r.results = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tiercel_config_reloads_total", Help: "Times that the config was read again: ok, or failed and the one before stays in force.",
	}, []string{"result"})
	r.good = prometheus.NewGauge(prometheus.GaugeOpts{Name: "tiercel_config_last_reload_successful", Help: "1 where the config that was read last is in force."})
	r.last = prometheus.NewGauge(prometheus.GaugeOpts{Name: "tiercel_config_last_reload_success_timestamp_seconds", Help: "When the config in force was read."})
	reg.MustRegister(r.results, r.good, r.last)
	for _, result := range []string{"ok", "failed"} {
		r.results.WithLabelValues(result)
	}
	r.good.Set(1)
	r.last.SetToCurrentTime()
}

// Reload reads the config again and puts it in force, all of it or, with an error, none. What runs and is the same in
// both is not touched. Settings that need a restart are logged.
func (a *App) Reload(ctx context.Context) error {
	r := &a.reload
	r.mu.Lock()
	defer r.mu.Unlock()
	began := time.Now()
	cfg, warnings, err := r.load()
	for _, w := range warnings {
		a.log.Warn("config", "warning", w.String())
	}
	var changed []string
	if err == nil {
		changed, err = a.takeUp(ctx, cfg)
	}
	r.state.Lock()
	defer r.state.Unlock()
	r.state.at = began
	if err != nil {
		r.state.failed = err.Error()
		r.results.WithLabelValues("failed").Inc()
		r.good.Set(0)
		a.log.Error("the new config is not used, the one before stays in force", "error", err)
		return err
	}
	r.state.failed = ""
	r.results.WithLabelValues("ok").Inc()
	r.good.Set(1)
	r.last.SetToCurrentTime()
	a.log.Info("the config was read again", "changed", changed, "took", time.Since(began).Round(time.Microsecond).String())
	return nil
}

// configState says for /readyz which config is in force.
func (a *App) configState() string {
	a.reload.state.Lock()
	defer a.reload.state.Unlock()
	if a.reload.state.failed == "" {
		return "ok"
	}
	return fmt.Sprintf("the config of %s is not used, the one before is in force: %s", a.reload.state.at.UTC().Format(time.RFC3339), a.reload.state.failed)
}

// own are the settings that a reload takes up, besides those of outputs, by the begin of their paths.
var own = []string{
	"mutualtlsfilespath", "mutualtlsclient.", "tlsclient.", "reload.",
}

// takeUp puts a config in force. It returns what has changed: the names of outputs, and settings.
func (a *App) takeUp(ctx context.Context, cfg *config.Config) (changed []string, err error) {
	r := &a.reload
	differing, err := r.cfg.Differing(cfg)
	if err != nil {
		return nil, err
	}
	certs := certificates(cfg)
	all := certs != r.certs || !reflect.DeepEqual(r.cfg.Client, cfg.Client)
	change := flow.Change{}
	metrics := make(map[string]*staged)
	defer func() {
		if err != nil {
			err = errors.Join(err, closeOutputs(change.Outputs))
		}
	}()
	for _, out := range cfg.Outputs {
		if !all && slices.ContainsFunc(r.cfg.Outputs, func(old config.Output) bool { return isSame(old, out) }) {
			continue
		}
		registry := newStaged()
		made, err := makeOutput(out, r.deps, registry, cfg.Client)
		if err != nil {
			return nil, err
		}
		metrics[out.Name] = registry
		change.Outputs = append(change.Outputs, flow.Output{Name: out.Name, Batch: out.Spec.Batch, Settings: out.Lane, Output: made})
		changed = append(changed, out.Name)
	}
	for _, old := range r.cfg.Outputs {
		if !slices.ContainsFunc(cfg.Outputs, func(out config.Output) bool { return out.Name == old.Name }) {
			change.Removed = append(change.Removed, old.Name)
			changed = append(changed, old.Name)
		}
	}
	var commits []func()
	takes := slices.Clone(own)
	for _, part := range r.parts {
		commit, err := part.prepare(ctx, cfg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		if commit != nil {
			commits = append(commits, commit)
		}
		takes = append(takes, part.takes...)
	}
	if err := a.flow.Swap(ctx, change); err != nil {
		return nil, err
	}
	for _, commit := range commits {
		commit()
	}
	a.showMetrics(metrics, change.Removed)
	r.cfg, r.certs = cfg, certs
	return append(changed, a.sort(differing, takes)...), nil
}

// sort tells what of the settings that differ is in force now, and logs what needs a restart.
func (a *App) sort(differing, takes []string) (taken []string) {
	var restart []string
	for _, path := range differing {
		if slices.ContainsFunc(takes, func(begin string) bool {
			return path == begin || strings.HasSuffix(begin, ".") && strings.HasPrefix(path, begin)
		}) {
			taken = append(taken, path)
		} else {
			restart = append(restart, path)
		}
	}
	if len(restart) > 0 {
		a.log.Warn("settings that were changed need a restart", "settings", restart)
	}
	return taken
}

// showMetrics puts the metrics of new outputs in the place of those of old ones.
func (a *App) showMetrics(metrics map[string]*staged, removed []string) {
	r := &a.reload
	for name, registry := range metrics {
		if err := registry.replace(r.outputs[name], a.metrics); err != nil {
			a.log.Error("metrics of an output are not shown", "output", name, "error", err)
		}
		r.outputs[name] = registry
	}
	for _, name := range removed {
		r.outputs[name].remove(a.metrics)
		delete(r.outputs, name)
	}
}

// normalizer takes up what is done to each alert.
func (a *App) normalizer(metrics *staged) reloader {
	return reloader{
		name:  "normalizing",
		takes: []string{"customfields", "templatedfields", "customtags", "bracketreplacer", "outputfieldformat"},
		prepare: func(_ context.Context, cfg *config.Config) (func(), error) {
			registry := newStaged()
			n, err := normalize.New(cfg.Normalize, registry)
			if err != nil {
				return nil, err
			}
			return func() {
				a.flow.Normalize(n.Apply)
				if err := registry.replace(metrics, a.metrics); err != nil {
					a.log.Error("metrics of the templates are not shown", "error", err)
				}
				metrics = registry
			}, nil
		},
	}
}

// isSame reports whether two configs of an output are the same.
func isSame(a, b config.Output) bool {
	return a.Name == b.Name && a.Spec.Name == b.Spec.Name && a.Lane == b.Lane && reflect.DeepEqual(a.Config, b.Config)
}

// certificates gives a sum over the files that outputs read when they are made. Those of secrets are in the config.
func certificates(cfg *config.Config) [sha256.Size]byte {
	h := sha256.New()
	for _, path := range cfg.Certificates() {
		text, _ := os.ReadFile(path) // one that cannot be read is named by who needs it
		fmt.Fprintf(h, "%q %q\n", path, text)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// watch reads the config again at each signal, and when its files have changed, until ctx ends.
func (a *App) watch(ctx context.Context) {
	settings := a.inForce().Reload
	ticker := time.NewTicker(settings.Interval)
	defer ticker.Stop()
	known := a.reload.began
	before := known
	for {
		files := a.inForce().Files()
		select {
		case <-ctx.Done():
			return
		case <-a.reload.signals:
		case <-ticker.C:
			if !settings.Watch {
				continue
			}
			now := sums(files)
			settled := now == before
			before = now
			if now == known || !settled {
				continue // nothing new, or someone may still be writing
			}
		}
		before = sums(files)
		_ = a.Reload(ctx) // it has logged
		if now := a.inForce().Reload; now != settings {
			settings = now
			ticker.Reset(settings.Interval)
		}
		// What was written while they were read is another change. The files may be others now.
		if known = before; sums(files) == before {
			known = sums(a.inForce().Files())
		}
		before = known
	}
}

// inForce is the config that is in force.
func (a *App) inForce() *config.Config {
	a.reload.mu.Lock()
	defer a.reload.mu.Unlock()
	return a.reload.cfg
}

// sums gives a sum over files. It reads them, since a symbolic link may lead elsewhere without any of them being written.
func sums(files []string) [sha256.Size]byte {
	h := sha256.New()
	for _, path := range files {
		text, err := os.ReadFile(path)
		fmt.Fprintf(h, "%q %t %q\n", path, err == nil, text)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
