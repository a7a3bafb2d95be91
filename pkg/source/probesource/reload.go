package probesource

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/ruleset"
)

// current is the rules in use. It never changes.
type current struct {
	*ruleset.Set

	config  ruleset.Config
	stamp   ruleset.Stamp
	printer rules.Printer
	types   event.Set
	fields  []field.Ref // that some rule names
	asks    event.Set   // types for which some condition asks what only a container's runtime can say
	since   time.Time
}

// Supply says which events and fields rules can have from a probe with this config.
func Supply(cfg Config, terminals bool) *load.Supply {
	return falcoevent.Supply(falcoevent.Limits{Terminals: terminals && cfg.Enabled != EnabledNo})
}

// load makes rules from the files. At first everything that rules can ask for can still be switched on.
func (s *Source) load(cfg ruleset.Config, first bool) (*current, error) {
	stamp := ruleset.Look(&cfg)
	limits := falcoevent.Limits{Terminals: s.deps.Sessions != nil}
	if !first {
		limits.NoEnv, limits.NoData = s.maxEnv == 0, s.maxData == 0
	}
	set, err := ruleset.Load(&cfg, ruleset.Env{Builtin: s.deps.Builtin, Names: s.hosts, Supply: falcoevent.Supply(limits)})
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return &current{
		Set: set, config: cfg, stamp: stamp, types: set.Types(), fields: set.Fields(), since: time.Now(),
		asks: asking(set.Rules(), falcoevent.IsMetadata),
		printer: rules.Printer{
			Hostname: s.config.Hostname, Zone: time.Local, ISO8601: cfg.Time == ruleset.TimeISO8601, Message: cfg.Message,
		},
	}, nil
}

// use takes rules into use.
func (s *Source) use(next *current) {
	s.rules.Store(next)
	s.refused.Store(nil)
	s.hosts.Set(next.Hosts())
	s.metrics.rules.Set(float64(len(next.Rules())))
	s.metrics.unmet.Set(float64(len(next.Unmet)))
	s.metrics.reloadOK.Set(1)
	terminals := 0
	for _, r := range next.Unmet {
		if r.Source == event.Terminal && s.sessions == nil {
			terminals++
			continue
		}
		s.deps.Log.Warn("a rule asks for what no event has", "rule", r.Name, "missing", strings.Join(r.NotSupplied, ", "))
	}
	if terminals > 0 {
		s.deps.Log.Info("rules about terminals never fire: terminal sessions are switched off", "rules", terminals)
	}
}

// Prepare loads the rules of a config, and gives what takes them into use, or nil when nothing changed. Events go on being
// tested with the old ones until then. After an error the old ones stay. A file that is wrong under a config that is the
// same is no error of the config: it is said, and the old rules stay.
func (s *Source) Prepare(cfg ruleset.Config) (commit func(), err error) {
	now := s.rules.Load()
	same := reflect.DeepEqual(cfg, now.config)
	if same && ruleset.Look(&cfg).Equal(now.stamp) {
		return nil, nil //nolint:nilnil // there is nothing to do
	}
	next, err := s.load(cfg, false)
	if err != nil {
		s.refuse(err)
		if same {
			return nil, nil //nolint:nilnil // there is nothing to do
		}
		return nil, err
	}
	return func() { s.swap(next) }, nil
}

// swap takes other rules into use. Calls that only they ask for are traced first, so that none of their events is missing.
func (s *Source) swap(next *current) {
	before := s.rules.Load()
	both := append(s.syscalls(before), s.syscalls(next)...)
	if err := s.setSyscalls(both); err != nil {
		s.refuse(fmt.Errorf("tracing what the rules ask for: %w", err))
		return
	}
	s.use(next)
	if err := s.setSyscalls(s.syscalls(next)); err != nil {
		s.deps.Log.Warn("more is traced than the rules ask for", "error", err)
	}
	s.metrics.reloads.WithLabelValues("ok").Inc()
	s.deps.Log.Info("the rules were loaded again", "rules", len(next.Rules()))
	s.say(ruleReloaded, alert.Notice, fmt.Sprintf("The rules were loaded again | rules=%d before=%d", len(next.Rules()), len(before.Rules())),
		number("rules", len(next.Rules())), number("rules.before", len(before.Rules())))
}

// refuse says why the old rules stay.
func (s *Source) refuse(err error) {
	text := err.Error()
	s.refused.Store(&text)
	s.metrics.reloadOK.Set(0)
	s.metrics.reloads.WithLabelValues("failed").Inc()
	s.deps.Log.Error("the rules could not be loaded again, those in use stay", "error", text)
	s.say(ruleRefused, alert.Warning, "The rules could not be loaded again, those in use stay | error="+text,
		alert.Field{Name: "error", Value: alert.String(text)})
}

// watch looks at the rule files from time to time, and loads them again once they have changed and are at rest.
func (s *Source) watch(ctx context.Context) {
	every := s.rules.Load().config.Watch
	if every == 0 || len(s.rules.Load().config.Files) == 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	seen := s.rules.Load().stamp
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := s.rules.Load()
		stamp := ruleset.Look(&now.config)
		switch {
		case stamp.Equal(now.stamp) || stamp.Equal(s.tried()):
		case !stamp.Equal(seen): // somebody may still be writing
		default:
			s.setTried(stamp)
			if commit, _ := s.Prepare(now.config); commit != nil { // it says itself what went wrong
				commit()
			}
		}
		seen = stamp
	}
}

func (s *Source) tried() ruleset.Stamp {
	if t := s.stamped.Load(); t != nil {
		return *t
	}
	return nil
}

func (s *Source) setTried(t ruleset.Stamp) { s.stamped.Store(&t) }

// State is how the rules are doing.
type State struct {
	Rules int       `json:"rules"`           // in use
	Unmet []string  `json:"unmet,omitempty"` // rules that ask for what no event has
	Since time.Time `json:"since"`           // they are in use
	Error string    `json:"error,omitempty"` // why the files could not be loaded the last time
	Queue int       `json:"queue"`           // alerts that wait for the journal
}

// State tells how the rules are doing.
func (s *Source) State() State {
	now := s.rules.Load()
	state := State{Rules: len(now.Rules()), Since: now.since, Queue: len(s.queue)}
	for _, r := range now.Unmet {
		state.Unmet = append(state.Unmet, r.Name)
	}
	if refused := s.refused.Load(); refused != nil {
		state.Error = *refused
	}
	return state
}

// cgroupIDs are the ids of cgroups, which are the inodes of their folders.
func cgroupIDs(paths []string) ([]uint64, error) {
	var ids []uint64
	for _, path := range paths {
		found := false
		for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory"} {
			info, err := os.Stat(filepath.Join(root, path))
			if err != nil {
				continue
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				ids = append(ids, stat.Ino)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("probe.exclude.cgroups: there is no cgroup %s below /sys/fs/cgroup", path)
		}
	}
	return ids, nil
}
