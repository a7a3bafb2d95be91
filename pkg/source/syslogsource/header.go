package syslogsource

import (
	"bytes"
	"strconv"
	"time"
)

// The largest priority: facility 23, severity 7 (RFC 5424, section 6.2.1).
const maxPriority = 23*8 + 7

// open gives what a message says, and the host in its header, "" for none. Headers are read as far as that needs:
// facility, severity, time and program are of no use here, because the alert in the message has its own.
func open(message []byte) (text []byte, host string, ok bool) {
	rest, ok := priority(message)
	if !ok {
		return nil, "", false
	}
	// The version of RFC 5424 follows the priority without a blank; in the old form a month or a year does.
	if after, ok := bytes.CutPrefix(rest, []byte("1 ")); ok {
		return open5424(after)
	}
	return open3164(rest)
}

// priority takes the <priority> off, at most three digits without a zero before them.
func priority(message []byte) (rest []byte, ok bool) {
	end := bytes.IndexByte(message, '>')
	if end < 2 || end > 4 || message[0] != '<' {
		return nil, false
	}
	digits := string(message[1:end])
	value, err := strconv.ParseUint(digits, 10, 8)
	if err != nil || value > maxPriority || digits[0] == '0' && digits != "0" {
		return nil, false
	}
	return message[end+1:], true
}

// open5424 reads what follows the version: time, host, program, process, kind, structured data, message.
func open5424(rest []byte) (text []byte, host string, ok bool) {
	var words [5][]byte
	for i := range words {
		if words[i], rest, ok = bytes.Cut(rest, []byte{' '}); !ok || len(words[i]) == 0 {
			return nil, "", false
		}
	}
	if at := string(words[0]); at != "-" {
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			return nil, "", false
		}
	}
	if rest, ok = skipData(rest); !ok {
		return nil, "", false
	}
	text, ok = bytes.CutPrefix(rest, []byte{' '})
	if host = string(words[1]); host == "-" {
		host = ""
	}
	return text, host, ok
}

// skipData passes over structured data: "-", or elements in brackets, in whose quoted values a backslash keeps a quote,
// a bracket or a backslash from ending them.
func skipData(rest []byte) ([]byte, bool) {
	if after, ok := bytes.CutPrefix(rest, []byte{'-'}); ok {
		return after, true
	}
	elements, quoted := 0, false
	for i := 0; i < len(rest); {
		if rest[i] != '[' {
			return rest[i:], elements > 0
		}
		for i++; ; i++ {
			switch {
			case i >= len(rest):
				return nil, false
			case quoted && rest[i] == '\\':
				i++
				continue
			case rest[i] == '"':
				quoted = !quoted
				continue
			case quoted || rest[i] != ']':
				continue
			}
			break
		}
		i++
		elements++
	}
	return nil, elements > 0
}

// open3164 reads what follows the priority in the old form: a time, mostly a host, and a tag that a colon ends. syslog(3)
// leaves the host out, and some senders the tag.
func open3164(rest []byte) (text []byte, host string, ok bool) {
	if rest, ok = skipTime(rest); !ok {
		return nil, "", false
	}
	rest = bytes.TrimLeft(rest, " ")
	if after, found := cutTag(rest); found || bytes.HasPrefix(rest, []byte{'{'}) {
		return after, "", true
	}
	name, rest, ok := bytes.Cut(rest, []byte{' '})
	if !ok || len(name) == 0 {
		return nil, "", false
	}
	rest = bytes.TrimLeft(rest, " ")
	if after, found := cutTag(rest); found {
		rest = after
	}
	return rest, string(name), len(rest) > 0
}

// skipTime passes over the time and the blank after it: "Jan  2 15:04:05", or as RFC 3339 has it.
func skipTime(rest []byte) ([]byte, bool) {
	const layout = time.Stamp
	if n := len(layout); len(rest) > n && rest[n] == ' ' {
		if _, err := time.Parse(layout, string(rest[:n])); err == nil {
			return rest[n+1:], true
		}
	}
	// A day of one digit may lack the second blank.
	if n := len(layout) - 1; len(rest) > n && rest[n] == ' ' {
		if _, err := time.Parse("Jan 2 15:04:05", string(rest[:n])); err == nil {
			return rest[n+1:], true
		}
	}
	at, after, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return nil, false
	}
	_, err := time.Parse(time.RFC3339, string(at))
	return after, err == nil
}

// cutTag takes a tag off: a program's name, perhaps its pid in brackets, a colon and perhaps blanks. What begins with a
// number is the time of an alert that is a text.
func cutTag(rest []byte) ([]byte, bool) {
	tag, text, ok := bytes.Cut(rest, []byte{':'})
	if !ok || len(tag) == 0 || bytes.ContainsAny(tag, " {\"") || len(bytes.Trim(tag, "0123456789")) == 0 {
		return rest, false
	}
	return bytes.TrimLeft(text, " "), true
}
