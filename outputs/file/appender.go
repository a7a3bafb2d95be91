package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// appender appends whole lines, or nothing, to a file that lumberjack opens and rotates. It knows where the file ends,
// so that it can take back what was written in part; no other program may write to the file.
type appender struct {
	path  string
	most  int64                // bytes that can be appended at once
	fsync func(*os.File) error // nil does without

	log     *lumberjack.Logger
	known   bool      // size is what the file has
	size    int64     // of the file at path, in bytes
	torn    bool      // the file ends within a line
	created bool      // the file is new since the folder was last synced
	rotated time.Time // when the last file was begun
}

func newAppender(c Config) appender {
	mib := c.Rotate.MaxSize / size.MiB
	f := appender{
		path: c.Path,
		most: int64(mib*size.MiB) - 2, // a line break before what is appended, and lumberjack's file is never quite full
		log: &lumberjack.Logger{
			Filename:   c.Path,
			MaxSize:    int(mib),
			MaxAge:     int((c.Rotate.MaxAge + day - 1) / day),
			MaxBackups: c.Rotate.MaxBackups,
			Compress:   c.Rotate.Compress,
		},
	}
	if c.Fsync {
		f.fsync = (*os.File).Sync
	}
	return f
}

// append appends lines, which are whole. After an error, the file is as it was, as far as the disk allows.
func (f *appender) append(ctx context.Context, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if err := f.write(lines); err != nil {
		return verdict.Because(verdict.Storage, err)
	}
	return nil
}

func (f *appender) write(lines []byte) error {
	if err := f.look(); err != nil {
		return err
	}
	if f.size > 0 && f.size+int64(len(lines)) > f.most {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if f.torn {
		if err := f.put([]byte{'\n'}); err != nil {
			return err
		}
		f.torn = false
	}
	before := f.size
	err := f.put(lines)
	if err == nil && f.fsync != nil {
		err = f.sync()
	}
	if err != nil {
		f.takeBack(before)
	}
	return err
}

// put writes to the file and counts.
func (f *appender) put(p []byte) error {
	n, err := f.log.Write(p)
	f.size += int64(n)
	return err
}

// look finds out where the file ends, unless it ends where we left it: it may be gone, or shortened, when another
// program rotates it. A file that ends within a line comes from a crash; the half line stays, by itself.
func (f *appender) look() error {
	info, err := os.Stat(f.path)
	switch {
	case f.known && err == nil && info.Size() == f.size:
		return nil
	case err == nil && !info.Mode().IsRegular():
		return errKind(f.path, info)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	// What lumberjack has open may be another file by now, and in one that was shortened it would go on writing where it
	// was, and count what is no longer there.
	_ = f.log.Close()
	f.known, f.size, f.torn = true, 0, false
	if err != nil { // it is not there yet
		f.created = true
		return nil //nolint:nilerr // that is as it should be
	}
	if info.Size() == 0 {
		return nil
	}
	f.size = info.Size()
	f.torn, err = torn(f.path, f.size)
	f.known = err == nil
	return err
}

// torn reports whether the file of that size ends within a line.
func torn(path string, size int64) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// rotate begins a new file. Lumberjack names the old one by the millisecond, and a second one of that name would
// replace it.
func (f *appender) rotate() error {
	if wait := 2*time.Millisecond - time.Since(f.rotated); wait > 0 {
		time.Sleep(wait)
	}
	f.known = false
	if err := f.log.Rotate(); err != nil {
		return err
	}
	f.rotated = time.Now()
	f.known, f.size, f.torn, f.created = true, 0, false, true
	return nil
}

// sync brings the file to the disk, and its name when that is new. Lumberjack keeps its descriptor to itself; another
// one of the same file does as well.
func (f *appender) sync() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := f.fsync(file); err != nil {
		return err
	}
	if f.created {
		if err := f.syncFolder(filepath.Dir(f.path)); err != nil {
			return err
		}
		f.created = false
	}
	return nil
}

func (f *appender) syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	// Some file systems and Windows have no sync of folders, and need none.
	if err := f.fsync(folder); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// takeBack cuts the file to the size that it had, where nobody else wrote to it.
func (f *appender) takeBack(to int64) {
	f.known = false // the next write looks anew, also for what could not be taken back
	if info, err := os.Stat(f.path); err == nil && info.Size() == f.size && f.size > to {
		_ = os.Truncate(f.path, to)
	}
}

func (f *appender) close() error { return f.log.Close() }

// writable reports whether the file at path can be written, or made. It leaves nothing behind.
func writable(path string) error {
	if err := regular(path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		return file.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder := filepath.Dir(path)
	for {
		_, err := os.Stat(folder)
		if err == nil {
			break
		}
		if parent := filepath.Dir(folder); errors.Is(err, fs.ErrNotExist) && parent != folder {
			folder = parent
			continue
		}
		return err
	}
	probe, err := os.CreateTemp(folder, ".tiercel-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
