package outputs_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
)

type fakeConfig struct{ Address string }

func (c *fakeConfig) Enabled() bool   { return c.Address != "" }
func (c *fakeConfig) Validate() error { return nil }

type otherConfig struct{ fakeConfig }

type fake struct{ address string }

func (fake) Send(context.Context, []*alert.Alert) error { return nil }

var errCreate = errors.New("cannot")

func TestDefine(t *testing.T) {
	spec := outputs.Define(outputs.Spec{Name: "fake"}, func() fakeConfig { return fakeConfig{"default"} },
		func(env outputs.Env, c fakeConfig) (outputs.Output, error) {
			if c.Address == "bad" {
				return nil, errCreate
			}
			return fake{env.Name + " to " + c.Address}, nil
		})
	config := spec.Config()
	if c, ok := config.(*fakeConfig); !ok || c.Address != "default" {
		t.Fatalf("config %+v", config)
	}
	config.(*fakeConfig).Address = "changed"
	if spec.Config().(*fakeConfig).Address != "default" {
		t.Error("two configs share their memory")
	}
	output, err := spec.New(outputs.Env{Name: "fake/1"}, config)
	if err != nil || output.(fake).address != "fake/1 to changed" {
		t.Errorf("%v, %v", output, err)
	}
	if _, err := spec.New(outputs.Env{}, &fakeConfig{"bad"}); !errors.Is(err, errCreate) {
		t.Errorf("got %v", err)
	}
	for _, wrong := range []outputs.Config{&otherConfig{}, nil} {
		if _, err := spec.New(outputs.Env{}, wrong); err == nil || !strings.Contains(err.Error(), "fake") {
			t.Errorf("%T: got %v", wrong, err)
		}
	}
}
