package config

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// value is what one layer says about one key: the node in the file, or the text of an environment variable. It is
// what viper carries, so that the layer that wins still knows where it stands.
type value struct {
	origin origin
	node   *yaml.Node // of the file; nil for a variable
	text   string     // of the variable
	raw    string     // the variable as it was written, where it held references
	below  *value     // what the layer below says, for maps: their entries are merged
}

// origin is where a key was set.
type origin struct {
	file string
	line int
	env  string
	// from is the file that a secret was read from.
	from string
	// raw is the value as it was written, where it holds references: ${env:NAME}.
	raw string
}

// finding makes a finding at this place.
func (o origin) finding(key, text string) Finding {
	return Finding{File: o.file, Line: o.line, Env: o.env, Key: key, Text: text}
}

// String says where a value comes from: "config.yaml:7", "environment SLACK_CHANNEL".
func (o origin) String() string {
	if o.env != "" {
		return "environment " + o.env
	}
	return oneLine(o.file) + ":" + strconv.Itoa(o.line)
}
