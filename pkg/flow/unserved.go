package flow

import (
	"context"
	"slices"
	"time"
)

// In a journal that several Tiercels share, a lane that is not configured here may be another's. It is wound up when
// nobody has served it for a while, so that an update of one Tiercel after the other costs no alerts.
const (
	unservedLook = 30 * time.Second
	unservedFor  = 5 * time.Minute
)

// windUnserved looks for lanes that nobody serves until ctx ends, and winds them up.
func (f *Flow) windUnserved(ctx context.Context) {
	since := make(map[string]time.Time) // since when nobody was seen to serve a lane
	tick := time.NewTicker(unservedLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, name := range f.unserved(ctx, since, time.Now()) {
			if err := f.windUp(ctx, name); err != nil {
				f.deps.Log.Warn("what is left for an output that nobody has any more could not be looked at, trying again", "output", name, "error", err)
				continue
			}
			delete(since, name)
		}
	}
}

// windUp starts a lane that buries what is left for an output, while the flow runs.
func (f *Flow) windUp(ctx context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.start == nil {
		return nil // it is about to end
	}
	before := len(f.lanes)
	if err := f.wind(ctx, name); err != nil {
		return err
	}
	for _, l := range f.lanes[before:] {
		f.start(l)
	}
	return nil
}

// has reports whether a lane of that name is at work here.
func (f *Flow) has(name string) bool {
	return slices.ContainsFunc(f.all(), func(l *lane) bool { return l.name == name && !l.hasEnded() })
}

// unserved lists the lanes that nobody has served for long enough. since is its memory.
func (f *Flow) unserved(ctx context.Context, since map[string]time.Time, now time.Time) []string {
	known, err := f.deps.Journal.Lanes(ctx)
	if err != nil {
		f.deps.Log.Debug("the journal's outputs could not be listed", "error", err)
		return nil
	}
	var names []string
	for _, name := range known {
		if isFollower(name) || f.has(name) {
			continue
		}
		served, err := f.deps.Journal.Served(ctx, name)
		switch began, seen := since[name]; {
		case err != nil:
			f.deps.Log.Debug("who serves an output is not known", "output", name, "error", err)
		case served:
			delete(since, name)
		case !seen:
			since[name] = now
		case now.Sub(began) >= unservedFor:
			names = append(names, name)
		}
	}
	return names
}
