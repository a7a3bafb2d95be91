package filesource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
)

const (
	// maxBatch and batchBytes bound what is put into the journal at once.
	maxBatch   = 512
	batchBytes = 1 << 20
	// lingering is how long a rotated file is still read after its last line: its writer may not know yet that it was
	// renamed. Falco opens its file anew only on SIGUSR1.
	lingering = time.Minute
	// maxTails bounds how many rotated files of one name are read at once.
	maxTails = 8
)

// Source follows the files of one of the config's paths.
type Source struct {
	cfg     Config
	pattern string
	deps    Deps
	follows map[string]*follower // by path
}

// Deps is what a source needs.
type Deps struct {
	Log     *slog.Logger
	Door    *source.Door
	Health  *source.Health
	Offsets *Offsets
}

// New makes the source of one path of the config. It opens nothing yet. cfg must be valid.
func New(cfg Config, pattern string, deps Deps) *Source {
	return &Source{cfg: cfg, pattern: pattern, deps: deps, follows: map[string]*follower{}}
}

// Run follows the files until ctx ends.
func (s *Source) Run(ctx context.Context, put source.Put) error {
	defer s.close()
	first := true
	for {
		busy, err := s.look(ctx, put, first)
		first = false
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.deps.Health.Down(err)
		default:
			s.deps.Health.Up()
		}
		if busy {
			continue
		}
		select {
		case <-time.After(s.cfg.Interval):
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Source) close() {
	for _, f := range s.follows {
		for _, t := range f.tails {
			t.close()
		}
	}
	clear(s.follows)
}

// look reads what is new in all files. It reports whether there may be more already.
func (s *Source) look(ctx context.Context, put source.Put, first bool) (busy bool, err error) {
	paths, err := filepath.Glob(s.pattern)
	if err != nil {
		return false, err
	}
	known := paths
	if first { // one that was renamed while nobody read it is read to its end, whether or not there is a new one
		known = append(s.deps.Offsets.matching(s.pattern), paths...)
	}
	for _, path := range known {
		if s.follows[path] == nil {
			s.follows[path] = &follower{Source: s, path: path, isFirst: first && s.deps.Offsets.isFirst(path)}
		}
	}
	var errs []error
	if len(paths) == 0 {
		errs = append(errs, missing(s.pattern))
	}
	for path, f := range s.follows {
		more, err := f.look(ctx, put)
		busy = busy || more
		if err != nil {
			errs = append(errs, err)
		}
		if len(f.tails) == 0 && !slices.Contains(paths, path) {
			delete(s.follows, path)
			errs = append(errs, s.deps.Offsets.set(path, nil))
		}
	}
	return busy, errors.Join(errs...)
}

func missing(pattern string) error {
	if strings.ContainsAny(pattern, "*?[") {
		return fmt.Errorf("no file matches %s: waiting for one", pattern)
	}
	return fmt.Errorf("there is no file %s: waiting for it (file_output.filename in falco.yaml names it)", pattern)
}

// follower follows one path: the file that has the name now, and those that had it before and are not read to the end.
type follower struct {
	*Source

	path    string
	isFirst bool    // it is there at the very first start
	resumed bool    // what was remembered was looked for
	tails   []*tail // the oldest first
}

// look reads what is new.
func (f *follower) look(ctx context.Context, put source.Put) (busy bool, err error) {
	if !f.resumed {
		f.resumed = true
		f.resume()
	}
	errOpening := f.current()
	var alerts []*alert.Alert
	for _, t := range f.tails {
		all, err := f.read(ctx, put, t, alerts[:0])
		if err != nil {
			return false, errors.Join(errOpening, err)
		}
		if !all {
			return true, errOpening // the older file first, as far as there is anything in it
		}
	}
	return false, errors.Join(errOpening, f.retire(ctx, put))
}

// current opens the file that has the name now, if it is not read already.
func (f *follower) current() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // between two files of a rotation, or gone
	}
	if err != nil {
		return err
	}
	for _, t := range f.tails {
		if os.SameFile(t.info, info) {
			return nil
		}
	}
	if len(f.tails) >= maxTails {
		return fmt.Errorf("%s was rotated %d times faster than it is read", f.path, maxTails)
	}
	offset := int64(0)
	if f.isFirst && f.cfg.Start == StartEnd {
		offset = info.Size()
	}
	f.isFirst = false
	t, err := openTail(f.path, offset, int(f.cfg.MaxLine), f.deps.Door)
	if err != nil {
		return err
	}
	f.tails = append(f.tails, t)
	return f.remember() // from now on it is not the first start
}

// read reads a file to its end, as far as one batch goes, and remembers how far once the journal has it.
func (f *follower) read(ctx context.Context, put source.Put, t *tail, alerts []*alert.Alert) (all bool, err error) {
	more, truncated, err := t.check()
	if truncated {
		f.deps.Log.Info("a file was emptied and is read from its begin", "path", f.path)
	}
	if err != nil || !more && !t.behind {
		return err == nil, err
	}
	alerts, all, err = t.batch(alerts, batchBytes)
	t.behind = !all
	if err != nil {
		return false, err
	}
	return all, f.take(ctx, put, alerts)
}

// take puts alerts in, and then remembers how far all files are read.
func (f *follower) take(ctx context.Context, put source.Put, alerts []*alert.Alert) error {
	if err := f.deps.Door.Put(ctx, put, alerts); err != nil {
		return err
	}
	return f.remember()
}

func (f *follower) remember() error {
	marks := make([]mark, len(f.tails))
	for i, t := range f.tails {
		marks[i] = t.mark()
	}
	return f.deps.Offsets.set(f.path, marks)
}

// retire closes the files that no longer have the name and to which nothing was written for a while.
func (f *follower) retire(ctx context.Context, put source.Put) error {
	info, err := os.Stat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for i := 0; i < len(f.tails); i++ {
		t := f.tails[i]
		if info != nil && os.SameFile(t.info, info) || time.Since(t.grown) < lingering {
			continue
		}
		alerts := t.rest(nil)
		t.close()
		f.tails = slices.Delete(f.tails, i, i+1)
		if err := f.take(ctx, put, alerts); err != nil {
			return err
		}
		i--
	}
	return nil
}

// resume finds the files again that were not read to their end, whatever their names are now, and those that had the
// name in between.
func (f *follower) resume() {
	marks := f.deps.Offsets.of(f.path)
	if len(marks) == 0 {
		return
	}
	siblings := f.siblings()
	newest := f.deps.Offsets.saved
	for _, m := range marks {
		path, info := find(m, siblings)
		if path == "" {
			f.deps.Log.Warn("a file was rotated away while nobody read it: what was not read of it is lost", "path", f.path, "read", m.Offset)
			continue
		}
		f.open(path, m.Offset)
		newest = info.ModTime() // of those that got the name after this one
	}
	if now, err := os.Stat(f.path); err == nil && len(f.tails) > 0 && os.SameFile(f.tails[len(f.tails)-1].info, now) {
		return // the file that was read last still has the name
	}
	for _, s := range siblings {
		isNewer := s.path != f.path && s.info.ModTime().After(newest)
		if isNewer && !slices.ContainsFunc(f.tails, func(t *tail) bool { return os.SameFile(t.info, s.info) }) {
			f.open(s.path, 0)
		}
	}
}

func (f *follower) open(path string, offset int64) {
	if len(f.tails) >= maxTails {
		f.deps.Log.Warn("too many rotated files are not read yet: one is left out", "path", path)
		return
	}
	t, err := openTail(path, offset, int(f.cfg.MaxLine), f.deps.Door)
	if err != nil {
		f.deps.Log.Warn("a rotated file cannot be read", "path", path, "error", err)
		return
	}
	f.tails = append(f.tails, t)
}

// sibling is a file beside the one that is followed, whose name begins with that one's.
type sibling struct {
	path string
	info fs.FileInfo
}

// siblings are the file itself and what a rotation makes of it, the oldest first. Compressed ones are not among them.
func (f *follower) siblings() []sibling {
	target, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		target = f.path // gone for the moment
	}
	entries, err := os.ReadDir(filepath.Dir(target))
	if err != nil {
		return nil
	}
	var all []sibling
	for _, entry := range entries {
		name := entry.Name()
		if name != filepath.Base(target) && !isRotated(name, filepath.Base(target)) {
			continue
		}
		path := filepath.Join(filepath.Dir(target), name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if path == target {
			path = f.path
		}
		all = append(all, sibling{path, info})
	}
	slices.SortFunc(all, func(a, b sibling) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	return all
}

var (
	compressed   = regexp.MustCompile(`\.(gz|zst|xz|bz2|lz4)$`)
	containerLog = regexp.MustCompile(`^\d+\.log(\.|$)`)
)

// isRotated reports whether a name is what a rotation makes of base: events.json.1, events.json-20260731 and
// events-2026-07-31T12-00-00.json of events.json. A container that is started again writes 1.log after 0.log.
func isRotated(name, base string) bool {
	if compressed.MatchString(name) {
		return false
	}
	if containerLog.MatchString(name) && containerLog.MatchString(base) {
		return true
	}
	if rest, ok := strings.CutPrefix(name, base); ok {
		return rest[0] == '.' || rest[0] == '-'
	}
	ext := filepath.Ext(base)
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(base, ext)+"-")
	return ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' && strings.HasSuffix(rest, ext)
}

// find finds the file of a mark.
func find(m mark, among []sibling) (path string, info fs.FileInfo) {
	for _, s := range among {
		if device, number := identify(s.info); device != m.Device || number != m.Number {
			continue
		}
		file, err := os.Open(s.path)
		if err != nil {
			continue
		}
		ok := m.isOf(file)
		_ = file.Close()
		if ok {
			return s.path, s.info
		}
	}
	return "", nil
}
