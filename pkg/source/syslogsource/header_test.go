package syslogsource

import "testing"

func TestOpen(t *testing.T) {
	for message, want := range map[string]struct {
		text, host string
		ok         bool
	}{
		`<13>1 2026-07-31T09:57:57.881781+09:00 node-1 falco 12 - - {}`: {"{}", "node-1", true},
		"<0>1 - - - - - - {}": {"{}", "", true},
		`<13>1 - h a p m [a@32473 x="1\]" y="\"안녕\""][b@1] {"a": "] "}`:   {`{"a": "] "}`, "h", true},
		`<13>Jul 31 09:57:57 node-1 falco[12]: {"a": 1}`:                  {`{"a": 1}`, "node-1", true},
		`<13>Jul  1 09:57:57 falco[12]: {"a": 1}`:                         {`{"a": 1}`, "", true},
		`<13>Jul 1 09:57:57 node-1 falco:{"a": 1}`:                        {`{"a": 1}`, "node-1", true},
		`<13>Jul 31 09:57:57 node-1 {"a": 1}`:                             {`{"a": 1}`, "node-1", true},
		`<13>Jul 31 09:57:57 {"a": 1}`:                                    {`{"a": 1}`, "", true},
		`<191>2026-07-31T09:57:57.881781+09:00 노드 falco[12]: {}`:          {"{}", "노드", true},
		"<13>Jul 31 09:57:57 node-1 16:17:57.881781397: Warning x":        {"16:17:57.881781397: Warning x", "node-1", true},
		"<13>Jul 31 09:57:57 node-1 falco: 16:17:57.881781397: Warning x": {"16:17:57.881781397: Warning x", "node-1", true},
		"<13>1 yesterday h a p m - {}":                                    {"", "", false},
		"<13>1 - h a p m {}":                                              {"", "", false}, // no structured data, not even none
		`<13>1 - h a p m [a x="1] {}`:                                     {"", "", false},
		"<13>1 - h a p m -":                                               {"", "", false},
		"<192>1 - - - - - - {}":                                           {"", "", false},
		"<013>1 - - - - - - {}":                                           {"", "", false},
		"<+1>1 - - - - - - {}":                                            {"", "", false},
		"<13>Foo 31 09:57:57 node-1 falco: {}":                            {"", "", false},
		"<13>Jul 31 09:57:57 node-1":                                      {"", "", false},
		"13 Jul 31 09:57:57 node-1 falco: {}":                             {"", "", false},
		"<13>":                                                            {"", "", false},
	} {
		text, host, ok := open([]byte(message))
		if ok != want.ok || ok && (string(text) != want.text || host != want.host) {
			t.Errorf("%q gave %q of host %q, %v", message, text, host, ok)
		}
	}
}
