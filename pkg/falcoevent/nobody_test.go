package falcoevent_test

import (
	"testing"

	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

// An event whose process is not known still happened at a time.
func TestEventOfNobodyHasItsTime(t *testing.T) {
	const at = 1767323045000000006
	e := falcoevent.New(newMachine(t).node)
	e.SetProcess(nil, 7, at)
	for f := range field.All() {
		_ = e.Field(f.ID, field.NoArgument) // whatever it gives
	}
	if v := e.Field(field.EvtRawtime, field.NoArgument); !v.Exists() || v.Num() != at {
		t.Errorf("evt.rawtime is %v", v)
	}
	if v := e.Field(field.UserName, field.NoArgument); v.Exists() {
		t.Errorf("user.name is %v", v)
	}
}
