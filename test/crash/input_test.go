package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that is written and rotated while Tiercel is killed again and again: every line arrives, and what comes twice is
// what was under way at a kill.
func TestKill9WhileFollowingAFile(t *testing.T) {
	t.Parallel()
	web := newPlace(t)
	x := newTiercel(t, fmt.Sprintf("webhook: {address: '%s/hook'}\njournal: {dir: DIR/journal, reserve: 0}\ninputs: {file: {paths: [DIR/events.json], interval: 20ms}}\n", web.URL))
	path := filepath.Join(x.dir, "events.json")
	x.start()
	written := 0
	const between = 200 // alerts from one kill to the next
	for i := range runs(t) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for range between {
			if _, err := fmt.Fprintln(f, alertBody(written)); err != nil {
				t.Fatal(err)
			}
			written++
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i)); err != nil {
				t.Fatal(err)
			}
		}
		x.kill()
		x.start()
	}
	for n := range written {
		x.eventually(time.Minute, fmt.Sprintf("alert %d arrives", n), func() bool { return web.has(n) })
	}
	x.stop()
	twice := 0
	web.mu.Lock()
	for _, times := range web.seen {
		twice += times - 1
	}
	web.mu.Unlock()
	// What was under way at a kill is less than what was written since the one before. More would mean that a place in
	// the file, or what the lane had delivered, was not remembered.
	if most := runs(t) * between; twice > most {
		t.Errorf("%d of %d alerts came again, expected at most %d", twice, written, most)
	}
	t.Logf("%d alerts through %d kills, none lost, %d came again", written, runs(t), twice)
}
