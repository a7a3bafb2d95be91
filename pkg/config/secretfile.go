package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/tiercel/tiercel/pkg/secret"
)

// maxSecret is how large a secret's file may be, in bytes.
const maxSecret = 1 << 20

// errRedacted is what a config that was printed gets when it is loaded again.
var errRedacted = errors.New(secret.Redacted + " stands for a secret that was not printed: put the secret itself here")

// fillSecret sets a secret from its key, or from the file that its other key names. A variable wins over the file
// of the config, whichever of the two keys it is; both in one place are a mistake.
func (l *loader) fillSecret(s *setting, direct, named *value) {
	text, err := secretText(direct)
	if err != nil {
		l.fail(s.path, direct.origin, "expected a text, %v", err)
		return
	}
	path, err := secretText(named)
	if err != nil {
		l.failed[s.path] = true
		l.problem(named.origin, s.path+fileSuffix, "expected the path of a file, %v", err)
		return
	}
	if text != "" && path != "" {
		switch directEnv, namedEnv := direct.origin.env != "", named.origin.env != ""; {
		case directEnv == namedEnv:
			l.failed[s.path] = true
			l.problem(named.origin, s.path+fileSuffix, "%s is set too: set one of them", s.name)
			return
		case namedEnv:
			text = ""
		default:
			path = ""
		}
	}
	switch {
	case path != "":
		text, err = readSecret(path)
		if err != nil {
			l.failed[s.path] = true
			l.problem(named.origin, s.path+fileSuffix, "%v", err)
			return
		}
		from := named.origin
		from.from = path
		l.config.origins[s.path] = from
	case text != "":
		if text == secret.Redacted {
			l.fail(s.path, direct.origin, "%v", errRedacted)
			return
		}
		at := direct.origin
		if raw, ok := l.rawOf(direct); ok && reference.FindString(raw) == raw { // with text beside it, raw may be half of the secret
			at.raw = raw
		}
		l.config.origins[s.path] = at
	default:
		return
	}
	s.field.Set(reflect.ValueOf(secret.New(text)))
}

func secretText(v *value) (string, error) {
	if v == nil {
		return "", nil
	}
	return textOf(v)
}

// readSecret reads a file that holds a secret. The line break at its end, which most editors and tools put there, is
// not part of it.
func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", path, reasonOf(err))
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read %s: %w", path, reasonOf(err))
	case len(data) > maxSecret:
		return "", fmt.Errorf("%s is too large for a secret: expected at most 1MiB", path)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("%s is empty: expected a secret in it", path)
	}
	return text, nil
}
