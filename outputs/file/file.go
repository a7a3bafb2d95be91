// Package file appends alerts to a file as JSON lines and begins a new file when that has grown large.
package file

import (
	"context"
	"fmt"
	"os"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Spec is the output.
var Spec = outputs.Define(outputs.Spec{
	Name:     "file",
	Title:    "File",
	Category: "local",
	About:    "Appends alerts to a file as JSON lines, with rotation.",
	Batch:    outputs.Batch{Max: 512, Bytes: 1 * size.MiB},
}, Defaults, New)

// File is one file.
type File struct {
	appender appender
	lines    []byte // memory of the last write, to be used again
}

// chunk bounds what is written at once, and the memory that is kept for the next batch, in bytes.
const chunk = 1 << 20

// New makes the output. The file is opened with the first alert.
func New(_ outputs.Env, c Config) (outputs.Output, error) {
	if err := regular(c.Path); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	return &File{appender: newAppender(c)}, nil
}

// Send appends the batch. What the disk refuses of it is not left behind half written.
func (f *File) Send(ctx context.Context, batch []*alert.Alert) error {
	failed := verdict.Partial{}
	lines, first := f.lines[:0], 0 // what is to be written, and the alert that it begins with
	for i, a := range batch {
		before := len(lines)
		lines = outputs.AppendLine(lines, a)
		if length := len(lines) - before; int64(length) > f.appender.most {
			failed[i] = verdict.Permanent(verdict.Because(verdict.TooLarge,
				fmt.Errorf("%s: an alert of %d bytes is more than fits into a file, see rotate.maxsize", f.appender.path, length)))
			lines = lines[:before]
			continue
		}
		if before > 0 && int64(len(lines)) > min(chunk, f.appender.most) {
			if err := f.appender.append(ctx, lines[:before]); err != nil {
				return fail(failed, err, first, len(batch))
			}
			lines, first = append(lines[:0], lines[before:]...), i
		}
	}
	if err := f.appender.append(ctx, lines); err != nil {
		return fail(failed, err, first, len(batch))
	}
	f.lines = lines
	if cap(lines) > 2*chunk {
		f.lines = nil
	}
	return failed.ErrOrNil()
}

// fail adds err for the alerts from first to end, except those that have failed by themselves.
func fail(failed verdict.Partial, err error, first, end int) error {
	for i := first; i < end; i++ {
		if _, already := failed[i]; !already {
			failed[i] = err
		}
	}
	return failed
}

// Check reports whether the file, or one in its folder, can be written.
func (f *File) Check(context.Context) error { return writable(f.appender.path) }

// Close closes the file.
func (f *File) Close() error { return f.appender.close() }

// regular reports what stands in the way of a file at path: a folder, a device, a pipe. Rotation would rename it.
func regular(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return errKind(path, info)
	}
	return nil
}

func errKind(path string, info os.FileInfo) error {
	return fmt.Errorf("expected a file, or nothing yet, at %s, but its kind is %s", path, info.Mode().Type())
}
