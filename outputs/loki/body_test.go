package loki

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// A body that the transport still holds is not written over; one that it has closed is written over, which is what
// buffers are for.
func TestBodyIsNotWrittenOver(t *testing.T) {
	c := Defaults()
	e := newEncoder(newLayout(&c))
	batch := typical(t, 2)
	first := e.encode(batch, []int{0, 1}) // the larger one: its buffer is enough for the next
	want := bytes.Clone(first)
	var req http.Request
	e.lent.lend(&req, first)
	again, err := req.GetBody() // another try over a fresh connection
	if err != nil {
		t.Fatal(err)
	}
	held := e.lent
	second := e.encode(batch, []int{1})
	if &second[0] == &first[0] || !bytes.Equal(first, want) {
		t.Error("a body under way was written over")
	}
	for _, body := range []io.ReadCloser{req.Body, again} {
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the transport reads %d bytes: %v", len(got), err)
		}
		if !held.out() {
			t.Error("a body under way counts as closed")
		}
		for range 2 { // transports may close twice
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if held.out() {
		t.Error("a body that was closed counts as under way")
	}

	want = bytes.Clone(second)
	e.lent.lend(&req, second)
	if err := req.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if third := e.encode(batch, []int{1}); &third[0] != &second[0] || !bytes.Equal(third, want) {
		t.Error("a free buffer was not used again")
	}
}
