//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is the reader's side of a BPF ring buffer (Documentation/bpf/ringbuf.rst of the kernel). The library has one that
// copies each record and reads one ring at a time; this one hands records out where they are, and can be asked what
// comes next without taking it, which is what merging two by time needs.
//
// The kernel maps a page with the reader's position, one with the writers', and the data twice in a row, so that a record
// that goes round the end is in one piece.
type ring struct {
	fd       int
	consumer []byte // the page that we write
	producer []byte // the page and the data that we only read
	data     []byte
	mask     uint64
	// read is up to where records were taken; told is what the kernel knows of that.
	read, told uint64
	size       uint64
}

const (
	ringHead    = 8       // bytes before each record: its length, and where its page is
	ringBusy    = 1 << 31 // somebody is still writing it
	ringDiscard = 1 << 30 // it was given up
	// How much is taken before the kernel is told: the page with the position is shared with the writers' CPUs.
	ringTell = 64 << 10
)

func openRing(fd, size int) (*ring, error) {
	page := os.Getpagesize()
	if size < page || size&(size-1) != 0 {
		return nil, fmt.Errorf("a ring of %d bytes: the size must be a power of two of at least a page", size)
	}
	consumer, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping a ring's reader page: %w", err)
	}
	producer, err := unix.Mmap(fd, int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(consumer)
		return nil, fmt.Errorf("mapping a ring: %w", err)
	}
	r := &ring{
		fd: fd, consumer: consumer, producer: producer, data: producer[page:],
		mask: uint64(size) - 1, size: uint64(size),
	}
	r.read = atomic.LoadUint64(word(consumer))
	r.told = r.read
	return r, nil
}

// close gives the memory back. Records that were handed out are gone with it.
func (r *ring) close() {
	_ = unix.Munmap(r.producer)
	_ = unix.Munmap(r.consumer)
}

// word is the number at the begin of a page.
func word(b []byte) *uint64 { return (*uint64)(unsafe.Pointer(unsafe.SliceData(b))) }

// end is up to where writers have reserved.
func (r *ring) end() uint64 { return atomic.LoadUint64(word(r.producer)) }

// waiting is how many bytes are not taken yet.
func (r *ring) waiting() uint64 { return r.end() - r.read }

// peek gives the next record before end, without taking it: nil when there is none, or when it is still being written.
func (r *ring) peek(end uint64) (record []byte, busy bool) {
	for r.read < end {
		at := r.read & r.mask
		length := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[at])))
		if length&ringBusy != 0 {
			return nil, true
		}
		size := uint64(length &^ (ringBusy | ringDiscard))
		if length&ringDiscard != 0 {
			r.skip(size)
			continue
		}
		if size > r.size {
			// Only a broken kernel could do that. Nothing that follows can be found.
			r.read = end
			return nil, false
		}
		return r.data[at+ringHead : at+ringHead+size], false
	}
	return nil, false
}

// take goes past the record that peek gave.
func (r *ring) take(record []byte) { r.skip(uint64(len(record))) }

func (r *ring) skip(size uint64) {
	r.read += ringHead + (size+7)&^7
	if r.read-r.told >= ringTell {
		r.tell()
	}
}

// tell lets the kernel use again what was taken.
func (r *ring) tell() {
	if r.told != r.read {
		r.told = r.read
		atomic.StoreUint64(word(r.consumer), r.read)
	}
}
