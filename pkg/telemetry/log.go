// Package telemetry is how Tiercel is seen from outside: the log handler, the registry and page of the metrics, the
// counter of alerts, the build's version.
package telemetry

import (
	"errors"
	"io"
	"log/slog"

	"github.com/tiercel/tiercel/pkg/problem"
)

// LogConfig is what is logged, and how.
type LogConfig struct {
	// Least serious messages to log: debug, info, warn or error.
	Level string `config:"level" enum:"debug,info,warn,error"`
	// text, json, or auto: text on a terminal, json otherwise.
	Format string `config:"format" enum:"auto,text,json"`
}

// Values of LogConfig.Format.
const (
	FormatAuto = "auto"
	FormatText = "text"
	FormatJSON = "json"
)

// DefaultLog gives level info and format auto.
func DefaultLog() LogConfig { return LogConfig{Level: "info", Format: FormatAuto} }

// Validate returns every problem, joined.
func (c *LogConfig) Validate() error {
	var errs []error
	if _, ok := level(c.Level); !ok {
		errs = append(errs, problem.At("level", "expected debug, info, warn or error, got %q", c.Level))
	}
	switch c.Format {
	case FormatAuto, FormatText, FormatJSON:
	default:
		errs = append(errs, problem.At("format", "expected auto, text or json, got %q", c.Format))
	}
	return errors.Join(errs...)
}

// NewLogger makes the logger of the process, which writes to w. debug (falcosidekick's general setting) wins over
// cfg.Level; isTerminal says what format auto means.
func NewLogger(cfg LogConfig, debug bool, w io.Writer, isTerminal bool) *slog.Logger {
	least, _ := level(cfg.Level)
	if debug {
		least = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: least}
	if cfg.Format == FormatText || cfg.Format != FormatJSON && isTerminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func level(name string) (slog.Level, bool) {
	switch name {
	case "debug":
		return slog.LevelDebug, true
	case "info":
		return slog.LevelInfo, true
	case "warn":
		return slog.LevelWarn, true
	case "error":
		return slog.LevelError, true
	}
	return slog.LevelInfo, false
}
