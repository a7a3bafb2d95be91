package commandline

import "strings"

// starter is a program whose work is to start another one.
type starter struct {
	values string // its short options that take a value in the next word, "" for none
	long   string // its long options that do, blank-separated
	skip   int    // words between its options and the command
	after  string // the command stands after this word
	before bool   // the words may begin with assignments
	remote bool   // the rest is a text that a shell reads
	option string // the text after this option is what a shell reads; without it, none is known
}

var starters = map[string]starter{
	"sudo":         {values: "ughpCrtTUDR", before: true},
	"doas":         {values: "uC", before: true},
	"env":          {values: "uC", before: true},
	"nohup":        {},
	"time":         {values: "fo"},
	"nice":         {values: "n"},
	"ionice":       {values: "cn"},
	"setsid":       {},
	"stdbuf":       {values: "ioe"},
	"timeout":      {values: "sk", skip: 1},
	"command":      {},
	"builtin":      {},
	"exec":         {values: "a"},
	"busybox":      {},
	"toybox":       {},
	"xargs":        {values: "InPdLsEa"},
	"chroot":       {skip: 1},
	"unshare":      {values: "SGRw"},
	"nsenter":      {values: "tSG"},
	"watch":        {values: "n", remote: true},
	"strace":       {values: "eopsuEaIOPSXb"},
	"ltrace":       {values: "eopsuaAlnFwx"},
	"taskset":      {skip: 1},
	"chrt":         {skip: 1},
	"flock":        {values: "wE", skip: 1},
	"unbuffer":     {},
	"catchsegv":    {},
	"firejail":     {},
	"proxychains":  {values: "f"},
	"proxychains4": {values: "f"},
	"torsocks":     {values: "uP"},
	"parallel":     {values: "jNIa"},
	"eval":         {remote: true},
	"trap":         {remote: true},
	"su":           {option: "c"},
	"runuser":      {option: "c"},
	"script":       {option: "c"},
	"ssh":          {values: "bcDEeFIiJLlmOopQRSWw", skip: 1, remote: true},
	"find":         {},
	"kubectl":      {after: "--"},
	"oc":           {after: "--"},
	"docker":       {values: "euw", long: "--env --user --workdir --env-file --detach-keys", skip: 1},
	"podman":       {values: "euw", long: "--env --user --workdir --env-file --detach-keys", skip: 1},
	"nerdctl":      {values: "euw", long: "--env --user --workdir --env-file --detach-keys", skip: 1},
	"crictl":       {skip: 1},
}

// within finds the command that a program is told to start, as words or as a text for a shell.
func within(name string, args []string) (words []string, text string) {
	st, ok := starters[name]
	if !ok {
		return nil, ""
	}
	switch name {
	case "command", "exec", "builtin":
		if len(args) > 0 && (args[0] == "-v" || args[0] == "-V") {
			return nil, ""
		}
	case "find":
		return afterExec(args), ""
	case "trap":
		return nil, strings.Join(args[:min(1, len(args))], "")
	case "docker", "podman", "nerdctl", "crictl", "kubectl", "oc":
		// Only "exec" is another command's affair; its own options are before it.
		i := 0
		for i < len(args) && args[i] != "exec" {
			i++
		}
		if i == len(args) {
			return nil, ""
		}
		args = args[i+1:]
	}
	if st.option != "" {
		return nil, optionText(args, st.option)
	}
	if st.after != "" {
		for i, arg := range args {
			if arg == st.after {
				return args[i+1:], ""
			}
		}
		return nil, ""
	}
	args = st.operands(args)
	if len(args) <= st.skip {
		return nil, ""
	}
	args = args[st.skip:]
	if st.remote {
		return nil, strings.Join(args, " ")
	}
	return args, ""
}

// operands skips options, their values, and assignments.
func (st starter) operands(args []string) []string {
	for len(args) > 0 {
		arg := args[0]
		switch {
		case arg == "--":
			return args[1:]
		case st.before && assigned(arg) > 0:
			args = args[1:]
		case len(arg) < 2 || arg[0] != '-':
			return args
		case strings.HasPrefix(arg, "--"):
			args = args[1:]
			if len(args) > 0 && st.long != "" && strings.Contains(" "+st.long+" ", " "+arg+" ") {
				args = args[1:]
			}
		default:
			args = args[1:]
			// The value is in the same word, or in the next.
			if at := strings.IndexAny(arg[1:], st.values); st.values != "" && at == len(arg)-2 && len(args) > 0 {
				args = args[1:]
			}
		}
	}
	return nil
}

// optionText is the word after a short option.
func optionText(args []string, option string) string {
	for i, arg := range args {
		if arg == "--command" || len(arg) > 1 && arg[0] == '-' && arg[1] != '-' && strings.HasSuffix(arg, option) {
			if i+1 < len(args) {
				return args[i+1]
			}
		}
		if text, ok := strings.CutPrefix(arg, "--command="); ok {
			return text
		}
	}
	return ""
}

// afterExec is the command that find starts.
func afterExec(args []string) []string {
	for i, arg := range args {
		switch arg {
		case "-exec", "-execdir", "-ok", "-okdir":
			words := args[i+1:]
			for k, word := range words {
				if word == ";" || word == "+" {
					return words[:k]
				}
			}
			return words
		}
	}
	return nil
}
