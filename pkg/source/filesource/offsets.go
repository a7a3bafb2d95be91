package filesource

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Offsets remembers how far files were read, in a small file that is replaced as a whole: after a crash it says what it
// said before or after, and nothing between. It says that something was read only once the journal has it.
type Offsets struct {
	path  string
	log   *slog.Logger
	saved time.Time // when it was written last by an earlier process; zero for never

	mu     sync.Mutex
	files  map[string][]mark // by the path that is followed, the oldest file first
	synced time.Time
}

// mark is how far one file was read. A file is known again by its device, number and first bytes: a number alone is
// given to another file soon after the first is gone.
type mark struct {
	Device uint64 `json:"device"`
	Number uint64 `json:"number"`
	Offset int64  `json:"offset"`
	Head   head   `json:"head"`
}

// head is the sum of the first bytes of a file.
type head struct {
	Size int    `json:"size"` // 0 to headSize
	Sum  uint32 `json:"sum"`
}

const headSize = 512

// syncEvery is the time after which the file is brought to the disk. Without, a power cut costs repetitions, a crash
// of the process nothing.
const syncEvery = time.Second

// OpenOffsets reads the file, which need not be there. One that is damaged is as good as none: everything is read
// again rather than left out.
func OpenOffsets(path string, log *slog.Logger) (*Offsets, error) {
	o := &Offsets{path: path, log: log, files: map[string][]mark{}}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return o, nil
	case err != nil:
		return nil, fmt.Errorf("inputs.file.offsets: %w", err)
	}
	if info, err := os.Stat(path); err == nil {
		o.saved = info.ModTime()
	}
	if err := json.Unmarshal(text, &o.files); err != nil {
		log.Error("the file with the places in files is damaged: these are read again from their begin", "path", path, "error", err)
		o.files = map[string][]mark{"": nil} // not the first start any more
	}
	return o, nil
}

// isFirst reports whether a path was never followed.
func (o *Offsets) isFirst(path string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, known := o.files[path]
	_, damaged := o.files[""]
	return !known && !damaged
}

// matching lists the paths that were followed and match a pattern.
func (o *Offsets) matching(pattern string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var paths []string
	for path := range o.files {
		if ok, err := filepath.Match(pattern, path); ok && err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

func (o *Offsets) of(path string) []mark {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.files[path])
}

// set remembers the marks of a path; none forgets it.
func (o *Offsets) set(path string, marks []mark) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before, ok := o.files[path]; ok && slices.Equal(before, marks) {
		return nil
	}
	o.files[path] = marks
	if marks == nil {
		delete(o.files, path)
	}
	sync := time.Since(o.synced) >= syncEvery
	if err := o.write(sync); err != nil {
		return err
	}
	if sync {
		o.synced = time.Now()
	}
	return nil
}

// Close brings the file to the disk.
func (o *Offsets) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.files) == 0 {
		return nil
	}
	return o.write(true)
}

func (o *Offsets) write(sync bool) error {
	text, err := json.Marshal(o.files)
	if err != nil {
		return err
	}
	if err := o.replace(text, sync); err != nil {
		return fmt.Errorf("remembering how far files were read: %w", err)
	}
	return nil
}

func (o *Offsets) replace(text []byte, sync bool) error {
	if err := os.MkdirAll(filepath.Dir(o.path), 0o700); err != nil {
		return err
	}
	fresh := o.path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil && sync {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, o.path); err != nil || !sync {
		return err
	}
	folder, err := os.Open(filepath.Dir(o.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// headOf sums the first bytes of a file, at most most.
func headOf(f *os.File, most int) (head, error) {
	var first [headSize]byte
	n, err := f.ReadAt(first[:most], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return head{}, err
	}
	return head{n, crc32.ChecksumIEEE(first[:n])}, nil
}

// identify gives what a file is known by.
func identify(info fs.FileInfo) (device, number uint64) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev), stat.Ino //nolint:unconvert // its type differs between systems
	}
	return 0, 0
}

// isOf reports whether an open file is the one of the mark.
func (m mark) isOf(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	if device, number := identify(info); device != m.Device || number != m.Number || info.Size() < m.Offset {
		return false
	}
	now, err := headOf(f, m.Head.Size)
	return err == nil && now == m.Head
}
