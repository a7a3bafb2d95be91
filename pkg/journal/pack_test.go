package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/tiercel/tiercel/pkg/alert"
)

// packOne is the frame of an alert and the pack of it.
func packOne(t *testing.T, change func(frame []byte)) (a *alert.Alert, frame, pack []byte) {
	t.Helper()
	a = alertOf(t, alert.Warning, 300)
	frame = appendFrame(nil, a)
	if change != nil {
		change(frame)
	}
	return a, frame, appendPack(nil, frame, 1, odometer{alert.Debug: 7, alert.Warning: 2})
}

// header is a pack's begin up to its frames.
func header(version byte, number uint64) []byte {
	h := binary.AppendUvarint([]byte{version}, number)
	for range 8 {
		h = binary.AppendUvarint(h, 1)
	}
	return h
}

func TestPackIsReadAsItWasWritten(t *testing.T) {
	a, frame, pack := packOne(t, nil)
	uncompressed := append(header(packUncompressed, 1), frame...)
	ones := odometer{1, 1, 1, 1, 1, 1, 1, 1}
	ones[alert.Warning]++
	for name, c := range map[string]struct {
		data  []byte
		after odometer
	}{
		"of this version":     {pack, odometer{alert.Debug: 7, alert.Warning: 3}},
		"of the one before":   {uncompressed, ones},
		"after another in it": {appendPack(bytes.Clone(pack), frame, 1, odometer{})[len(pack):], odometer{alert.Warning: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parsePack(c.data)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.frames) != 1 || p.after != c.after || p.size != len(frame) {
				t.Fatalf("got %d frames of %d bytes, odometer %v", len(p.frames), p.size, p.after)
			}
			got, err := p.frames[0].open()
			if err != nil || got.ID != a.ID || got.Raw() != a.Raw() {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestPacksOfAlikeAlertsAreSmall(t *testing.T) {
	var frames []byte
	a := alertOf(t, alert.Warning, 1000)
	for range 50 {
		frames = appendFrame(frames, a)
	}
	if pack := appendPack(nil, frames, 50, odometer{}); len(pack) > len(frames)/10 {
		t.Errorf("%d bytes of %d", len(pack), len(frames))
	}
}

// TestPackOfAnotherVersionStopsTheLane: what a later version wrote is not thrown away, whether the pack is of it or the
// alert in the pack.
func TestPackOfAnotherVersionStopsTheLane(t *testing.T) {
	_, _, pack := packOne(t, nil)
	pack[0] = 9
	_, _, record := packOne(t, func(frame []byte) {
		_, n := binary.Uvarint(frame[1:])
		frame[1+n] = 9
	})
	for name, data := range map[string][]byte{"the pack": pack, "the alert": record} {
		if _, err := parsePack(data); !errors.Is(err, errNewer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedPacks(t *testing.T) {
	_, frame, pack := packOne(t, nil)
	bomb := binary.AppendUvarint(header(packVersion, 1), packFrames+1)
	for name, data := range map[string][]byte{
		"empty":                       {},
		"only a version":              {packVersion},
		"cut":                         pack[:len(pack)-1],
		"no frames":                   header(packVersion, 1),
		"more frames than bytes":      append(header(packVersion, 1<<40), s2.Encode(nil, frame)...),
		"more memory than is allowed": bomb,
		"cut frame":                   append(header(packUncompressed, 1), frame[:len(frame)-1]...),
		"no such priority":            append(header(packUncompressed, 1), append([]byte{9}, frame[1:]...)...),
	} {
		if _, err := parsePack(data); !errors.Is(err, errPack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePack(f *testing.F) {
	f.Add([]byte{})
	f.Add(header(packUncompressed, 1))
	f.Add(append(header(packVersion, 2), s2.Encode(nil, []byte{3, 1, 1, 4, 2, 1, 0})...))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePack(data)
		if err != nil {
			return
		}
		for i := range p.frames {
			if a, err := p.frames[i].open(); err == nil && a == nil {
				t.Error("neither an alert nor an error")
			}
		}
	})
}
