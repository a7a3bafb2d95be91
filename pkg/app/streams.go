package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/source"
	"github.com/tiercel/tiercel/pkg/source/filesource"
	"github.com/tiercel/tiercel/pkg/source/grpcsource"
	"github.com/tiercel/tiercel/pkg/source/stdinsource"
	"github.com/tiercel/tiercel/pkg/source/syslogsource"
)

// buildStreams makes the inputs that read streams, as far as the config asks for them.
func (a *App) buildStreams(ctx context.Context, cfg *config.Config, deps Deps, reg prometheus.Registerer) error {
	metrics := source.NewMetrics(reg)
	door := func(name string) (*slog.Logger, *source.Health, *source.Door) {
		log := component(deps.Log, "input").With("input", name)
		return log, source.NewHealth(log), source.NewDoor(name, log, metrics, a.refuseOf)
	}
	in := cfg.Inputs
	for _, address := range in.GRPC.Addresses {
		name := "grpc " + address
		_, health, door := door(name)
		a.addInput(input{name: name, source: grpcsource.New(in.GRPC, address, door, health), health: health})
	}
	if len(in.File.Paths) > 0 {
		offsets, err := a.openOffsets(in.File.Offsets, component(deps.Log, "input"))
		if err != nil {
			return err
		}
		a.onStop("places in files", offsets.Close)
		for _, path := range in.File.Paths {
			name := "file " + path
			log, health, door := door(name)
			s := filesource.New(in.File, path, filesource.Deps{Log: log, Door: door, Health: health, Offsets: offsets})
			a.addInput(input{name: name, source: s, health: health})
		}
	}
	if len(in.Syslog.Listen) > 0 {
		log, health, door := door("syslog")
		s, err := syslogsource.New(ctx, in.Syslog, log, door)
		if err != nil {
			return err
		}
		a.onStop("syslog receiver", s.Close)
		a.addInput(input{name: "syslog", source: s, health: health, vital: true})
	}
	if in.Stdin.Enabled {
		if deps.Stdin == nil {
			return errors.New("inputs.stdin.enabled: there is no standard input here")
		}
		_, health, door := door("stdin")
		a.addInput(input{name: "stdin", source: stdinsource.New(in.Stdin, deps.Stdin, door), health: health, vital: true})
	}
	return nil
}

// openOffsets opens the file that remembers how far files were read. It belongs to the journal: what was read is what
// that one has.
func (a *App) openOffsets(path string, log *slog.Logger) (*filesource.Offsets, error) {
	if path == "" {
		folder := a.journal.Place()
		if !filepath.IsAbs(folder) || folder == journal.StorageMemory {
			return nil, fmt.Errorf("inputs.file.offsets: expected the path of a file, since the journal has no folder of its own (%s)", folder)
		}
		path = filepath.Join(folder, "offsets.json")
	}
	return filesource.OpenOffsets(path, log)
}
