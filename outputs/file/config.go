package file

import (
	"errors"
	"os"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/size"
)

// Config says which file alerts go to, and when a new one is begun.
type Config struct {
	// File that alerts are appended to; it and its folder are made when they are not there. Setting it switches the output on.
	Path string `config:"path"`
	// Wait until alerts are on the disk before they count as delivered, so that a power cut loses none.
	Fsync bool `config:"fsync"`
	// When a new file is begun, and how many old ones are kept.
	Rotate Rotate `config:"rotate"`
}

// Rotate bounds the file and those before it, which are kept beside it with the time in their names.
type Rotate struct {
	// Size at which a new file is begun, in whole MiB.
	MaxSize size.Bytes `config:"maxsize"`
	// Age at which an old file is removed, in whole days. 0 is no limit.
	MaxAge time.Duration `config:"maxage"`
	// Old files to keep. 0 keeps all.
	MaxBackups int `config:"maxbackups"`
	// Compress old files with gzip. A power cut while that goes on may damage the file that is being compressed.
	Compress bool `config:"compress"`
}

const day = 24 * time.Hour

// Defaults gives at most 11 files of 100 MiB, each alert on disk before it counts as delivered.
func Defaults() Config {
	return Config{Fsync: true, Rotate: Rotate{MaxSize: 100 * size.MiB, MaxBackups: 10}}
}

// Enabled reports whether there is a path.
func (c *Config) Enabled() bool { return c.Path != "" }

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	var errs []error
	if c.Path == "" || os.IsPathSeparator(c.Path[len(c.Path)-1]) {
		errs = append(errs, problem.At("path", "expected the path of a file, got %q", c.Path))
	}
	if r := c.Rotate; r.MaxSize < size.MiB || r.MaxSize > size.TiB {
		errs = append(errs, problem.At("rotate.maxsize", "expected 1MiB to 1TiB, got %s", r.MaxSize))
	}
	if age := c.Rotate.MaxAge; age != 0 && (age < day || age > 36500*day) {
		errs = append(errs, problem.At("rotate.maxage", "expected 0 (for no limit), or a day to 100 years, got %s", age))
	}
	if n := c.Rotate.MaxBackups; n < 0 || n > 100_000 {
		errs = append(errs, problem.At("rotate.maxbackups", "expected 0 (for all) to 100000, got %d", n))
	}
	return errors.Join(errs...)
}
