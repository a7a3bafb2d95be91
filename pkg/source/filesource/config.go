// Package filesource follows files that Falco, or a container's runtime for it, writes alerts to: by their name, through
// rotation and truncation, and from where it stopped after a restart.
package filesource

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/size"
)

// Config is which files are followed.
type Config struct {
	// Files to follow, with * ? and [a-z] in their names: /var/log/falco/events.json, /var/log/containers/falco-*_falco_falco-*.log. Empty leaves it off.
	Paths []string `config:"paths"`
	// Where to begin in a file that is there at the very first start: begin or end. Files that come later are read from their begin.
	Start string `config:"start" enum:"begin,end"`
	// Longest line that is read, also when a container's runtime wrote it in parts.
	MaxLine size.Bytes `config:"maxline"`
	// Time between two looks at the files.
	Interval time.Duration `config:"interval"`
	// File that remembers how far each was read. Empty means offsets.json in the journal's folder.
	Offsets string `config:"offsets"`
}

// Values of Config.Start.
const (
	StartBegin = "begin"
	StartEnd   = "end"
)

// Defaults gives what is not set.
func Defaults() Config {
	return Config{Start: StartBegin, MaxLine: 4 * size.MiB, Interval: 200 * time.Millisecond}
}

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, problem.At(key, format, args...)) }
	seen := map[string]bool{}
	for _, path := range c.Paths {
		if _, err := filepath.Match(path, ""); err != nil || !filepath.IsAbs(path) {
			wrong("paths", "expected an absolute path, with * ? and [a-z] perhaps, got %q", path)
		}
		if seen[path] {
			wrong("paths", "%s is there twice", path)
		}
		seen[path] = true
	}
	if c.MaxLine < size.KiB || c.MaxLine > 64*size.MiB {
		wrong("maxline", "expected 1KiB to 64MiB, got %s", c.MaxLine)
	}
	if c.Interval < 10*time.Millisecond || c.Interval > time.Minute {
		wrong("interval", "expected 10ms to 1m, got %s", c.Interval)
	}
	if c.Offsets != "" && !filepath.IsAbs(c.Offsets) {
		wrong("offsets", "expected an absolute path, got %q", c.Offsets)
	}
	return errors.Join(errs...)
}
