package load

import (
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// list is a list as its files define it.
type list struct {
	name    string
	items   []string
	at      place
	index   int // when it was first defined
	visible int // when it was last changed: what was defined before can be used in it

	resolved []string // with the lists within
	used     bool
}

// macro is a macro as its files define it.
type macro struct {
	name      string
	condition string
	index     int
	visible   int

	at, conditionAt place

	expr filter.Expr // with the macros within
	used bool
}

// rule is a rule as its files define it.
type rule struct {
	name            string
	condition       string
	output          string
	desc            string
	source          string
	unknownSource   bool
	priority        alert.Priority
	enabled         bool
	warnEventTypes  bool
	skipUnknown     bool
	capture         bool
	captureDuration int64
	tags            map[string]struct{}
	exceptions      []*exception

	at, conditionAt, outputAt place
}

// exception is an exception of a rule.
type exception struct {
	name   string
	fields values
	comps  values
	values []values
	at     place
}

// values are a text, or a list of values.
type values struct {
	set   bool
	list  bool
	text  string
	items []values
}

// update is what an object changes of a rule that is there already; nil and unset members change nothing.
type update struct {
	name            string
	condition       *string
	output          *string
	desc            *string
	priority        *alert.Priority
	enabled         *bool
	warnEventTypes  *bool
	skipUnknown     *bool
	capture         *bool
	captureDuration *int64
	tags            []string
	exceptions      []*exception
	hasTags         bool
	hasExceptions   bool

	at, conditionAt, outputAt place
}

func (u *update) empty() bool {
	return u.condition == nil && u.output == nil && u.desc == nil && u.priority == nil && u.enabled == nil &&
		u.warnEventTypes == nil && u.skipUnknown == nil && u.capture == nil && u.captureDuration == nil &&
		!u.hasTags && !u.hasExceptions
}

// requirement is a plugin that a file needs, or one of its alternatives.
type requirement struct {
	file         string
	alternatives []plugin
}

type plugin struct{ name, version string }
