package ruleset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/eval"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/rulefile"
)

// Env is what rules are made for.
type Env struct {
	// Builtin has the rule files at its root that are taken when the config names none.
	Builtin fs.FS
	// Names knows the addresses of the host names in rules. It may be nil.
	Names eval.Names
	// Supply is what events there will be.
	Supply *load.Supply
}

// Set is rules that are ready for events, and how they came to be.
type Set struct {
	*rules.Set

	// Results are what loading each file gave, in order.
	Results []*load.Result
	// Unmet are the rules in use that ask for what no event has.
	Unmet []*rules.Rule
}

// Load makes the set that the config asks for. Its error names every file that cannot be used; warnings are in the
// results.
func Load(cfg *Config, env Env) (*Set, error) {
	files := rulefile.Read(cfg.Files, env.Builtin)
	loader := load.New(load.Options{Names: env.Names, Supply: env.Supply, Append: cfg.Appends()})
	s := &Set{}
	var errs []error
	for _, f := range files {
		result := f.Result(loader)
		s.Results = append(s.Results, result)
		if !result.OK() {
			errs = append(errs, fmt.Errorf("%s", strings.TrimSpace(result.String())))
		}
	}
	if err := loader.CheckPlugins(); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.Set = rules.Compile(loader.Rules(), cfg.Options())
	for _, r := range s.Rules() {
		if len(r.NotSupplied) > 0 {
			s.Unmet = append(s.Unmet, r)
		}
	}
	return s, nil
}

// Stamp is what the rule files look like from outside: two that are equal mean that nothing changed.
type Stamp []string

// Equal reports whether nothing changed.
func (s Stamp) Equal(o Stamp) bool { return slices.Equal(s, o) }

// Look stamps the files that the config names. Files that cannot be looked at are a part of it, too.
func Look(cfg *Config) Stamp {
	var s Stamp
	for _, path := range cfg.Files {
		info, err := os.Stat(path)
		if err != nil {
			s = append(s, path+": "+err.Error())
			continue
		}
		s = append(s, mark(path, info))
		if !info.IsDir() {
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			s = append(s, err.Error())
		}
		for _, entry := range entries {
			name := filepath.Join(path, entry.Name())
			if info, err := os.Stat(name); err == nil { // through links: this is how a ConfigMap is mounted
				s = append(s, mark(name, info))
			}
		}
	}
	return s
}

func mark(name string, info fs.FileInfo) string {
	return fmt.Sprintf("%s %d %s", name, info.Size(), info.ModTime())
}
