// Package redact hides passwords, tokens and keys in command lines.
//
// What it finds by itself is what command lines show by their form: options, headers, variables and URLs that are named
// after a secret, and tokens that say what they are. It cannot know that a word is a password; so it is a net, no wall.
package redact

import (
	"fmt"
	"regexp"
	"strings"
)

// Hidden stands where something was hidden.
const Hidden = "[REDACTED]"

// A Redactor hides what its patterns find. It may be used by several goroutines at once.
type Redactor struct{ patterns []pattern }

type pattern struct {
	find *regexp.Regexp
	// needs is a text without which the pattern cannot match, in lower case; most lines have none of them.
	needs []string
}

// New makes a Redactor of the built-in patterns and others. A pattern's first group that took part is what is hidden, or
// all of the match where it has no group.
func New(builtin bool, others []string) (*Redactor, error) {
	r := &Redactor{}
	if builtin {
		for _, b := range builtins {
			r.patterns = append(r.patterns, pattern{find: regexp.MustCompile(b.expression), needs: b.needs})
		}
	}
	for _, o := range others {
		find, err := regexp.Compile(o)
		if err != nil {
			return nil, fmt.Errorf("a pattern of what is to be hidden: %w", err)
		}
		r.patterns = append(r.patterns, pattern{find: find})
	}
	return r, nil
}

// Text hides what is secret and says how many places that were.
func (r *Redactor) Text(text string) (string, int) {
	count := 0
	lower := strings.ToLower(text)
	for _, p := range r.patterns {
		if !p.possible(lower) {
			continue
		}
		matches := p.find.FindAllStringSubmatchIndex(text, -1)
		if matches == nil {
			continue
		}
		var b strings.Builder
		end := 0
		for _, m := range matches {
			from, to := m[0], m[1]
			for g := 2; g+1 < len(m); g += 2 {
				if m[g] >= 0 {
					from, to = m[g], m[g+1]
					break
				}
			}
			if from < end || from == to || harmless(text[from:to]) {
				continue
			}
			b.WriteString(text[end:from])
			b.WriteString(Hidden)
			end = to
			count++
		}
		if end > 0 {
			b.WriteString(text[end:])
			text = b.String()
			lower = strings.ToLower(text)
		}
	}
	return text, count
}

func (p *pattern) possible(lower string) bool {
	for _, n := range p.needs {
		if strings.Contains(lower, n) {
			return true
		}
	}
	return len(p.needs) == 0
}

// harmless says that the value only names a secret that is elsewhere, or was hidden before.
func harmless(value string) bool {
	v := strings.Trim(value, `"'`)
	if v == "" || strings.HasPrefix(v, Hidden) {
		return true
	}
	return variable.MatchString(v)
}

var variable = regexp.MustCompile(`^\$(?:\w+|\{\w+\}|\([^()]*\))$`)

// A word of a shell: in quotes, or up to a blank.
const word = `(\$\([^()]*\)|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s'"|;&<>]+)`

// names of what is secret, as options, variables and members have them.
const names = `(?:pass(?:word|wd|phrase|code)?|pwd|secrets?|tokens?|api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key|auth[-_]?key|encryption[-_]?key|client[-_]?secret|credentials?)`

var builtins = []struct {
	expression string
	needs      []string
}{
	// Private keys, as far as they are there.
	{`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)`, []string{"private key"}},
	// The password in a URL.
	{`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@'"]*:([^\s/'"]+)@`, []string{"://"}},
	// A user without password in a URL that is a token by its length.
	{`https?://([A-Za-z0-9_-]{20,})@`, []string{"://"}},
	// Headers.
	{`(?i)\b(?:proxy-)?authorization['"]?\s*[:=]\s*['"]?(?:(?:basic|bearer|token|digest|negotiate|apikey|aws4-hmac-sha256)\s+)?([^\s'"][^'"\n]*)`, []string{"authorization"}},
	{`(?i)\b(?:x-(?:api-key|auth-token|vault-token|access-token|amz-security-token|gitlab-token|csrf-token)|private-token|job-token|api-key|apikey|set-cookie|cookie)\s*:\s*([^'"\n]+)`, []string{"-token", "-key", "apikey", "cookie"}},
	// Options: --password=x, --token x, -password x.
	{`(?i)(?:^|\s)--?(?:[a-z0-9]+[-_.])*` + names + `(?:[-_.][a-z0-9]+)?(?:=|\s+)` + `("(?:[^"\\]|\\.)*"|'[^']*'|[^\s'"|;&<>-][^\s'"|;&<>]*)`, []string{"pass", "pwd", "secret", "token", "key", "credential"}},
	// Variables: X_TOKEN=y, also of other shells: set -x TOKEN y, setenv TOKEN y.
	{`(?i)\b(?:[a-z0-9]+_)*` + names + `(?:_[a-z0-9]+)*=` + word, []string{"pass", "pwd", "secret", "token", "key", "credential"}},
	{`(?i)\b(?:pg|mysql_|redis|redisCLI_|ssh|vnc|rsync_|borg_|restic_|ansible_\w*)(?:password|pwd|auth|pass|passphrase)=` + word, []string{"password", "pwd", "auth", "pass"}},
	{`(?i)\b(?:set(?:\s+-\w+)+|setenv)\s+(?:[a-z0-9]+_)*` + names + `(?:_[a-z0-9]+)*\s+` + word, []string{"set"}},
	// Members of JSON and YAML.
	{`(?i)["'](?:[a-z0-9]+[-_])*` + names + `["']\s*:\s*("(?:[^"\\]|\\.)*"|'[^']*')`, []string{"pass", "pwd", "secret", "token", "key", "credential"}},
	// Programs whose options say nothing by their names.
	{`\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mysqlshow|mariadb|mariadb-dump|mariadb-admin|mycli)\b[^|;&\n]*?\s-p([^\s'"|;&<>]+|"[^"]*"|'[^']*')`, []string{"mysql", "mariadb", "mycli"}},
	{`\bsshpass\s+(?:-\w+\s+)*?-p\s*` + word, []string{"sshpass"}},
	{`\b(?:curl|wget|http|https|xh|ab|siege)\b[^|;&\n]*?\s(?:-[a-zA-Z]*[uUaA]|--user|--proxy-user|--auth|-A)(?:\s*|=)["']?[^\s:'"]+:([^\s'"|;&<>]+)`, []string{"curl", "wget", "http", "xh", "ab ", "siege"}},
	{`\b(?:docker|podman|nerdctl|helm|az|oc|skopeo|buildah|crane)\b[^|;&\n]*?\blogin\b[^|;&\n]*?\s-p(?:\s*|=)` + word, []string{"login"}},
	{`\b(?:redis-cli|valkey-cli)\b[^|;&\n]*?\s-a\s+` + word, []string{"-cli"}},
	{`\b(?:mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport|cqlsh|ldapsearch|ldapadd|ldapmodify|ldappasswd|ipmitool|smbclient|rpcclient|xfreerdp|mosquitto_pub|mosquitto_sub)\b[^|;&\n]*?\s-(?:p|w|P|U\s+[^\s%]+%)\s*` + word, []string{"mongo", "cqlsh", "ldap", "ipmitool", "smbclient", "rpcclient", "xfreerdp", "mosquitto"}}, //nolint:misspell // the program's name
	{`\b(?:zip|unzip|7z|7za|7zr|rar|unrar)\b[^|;&\n]*?\s-(?:P\s*|p|hp)([^\s'"|;&<>]+|"[^"]*"|'[^']*')`, []string{"zip", "7z", "rar"}},
	{`\bopenssl\b[^|;&\n]*?\s-(?:passin|passout|pass|k|K)\s+(?:pass:)?` + word, []string{"openssl"}},
	{`\bpass:([^\s'"|;&<>]+)`, []string{"pass:"}},
	{`\bhtpasswd\s+-\w*b\w*\s+(?:-\w+\s+)*\S+\s+\S+\s+` + word, []string{"htpasswd"}},
	{`\bopenssl\s+passwd\b[^|;&\n]*?\s([^\s'"|;&<>-][^\s'"|;&<>]*)\s*$`, []string{"passwd"}},
	{`\becho\s+(?:-\w+\s+)*["']?[^\s:"'|]+:([^\s"'|]+)["']?\s*\|\s*(?:sudo\s+)?chpasswd`, []string{"chpasswd"}},
	{`\becho\s+(?:-\w+\s+)*` + word + `\s*\|\s*(?:sudo\s+-\w*S|passwd\s+--stdin|docker\s+login|kinit|cryptsetup)`, []string{"echo"}},
	// Tokens that say what they are.
	{`\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b`, []string{"akia", "asia", "abia", "acca"}},
	{`\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{50,}`, []string{"gh", "github_pat_"}},
	{`\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-[A-Za-z0-9_-]{18,}`, []string{"gl"}},
	{`\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{20,}`, []string{"xox", "xapp"}},
	{`\bhttps://hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9/_-]{20,})`, []string{"hooks.slack.com"}},
	{`\bhttps://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/([\w-]{20,})`, []string{"discord"}},
	{`\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}`, []string{"k_live_", "k_test_"}},
	{`\bsk-(?:[a-z]+-)*[A-Za-z0-9_-]{20,}`, []string{"sk-"}},
	{`\bAIza[A-Za-z0-9_-]{35}`, []string{"aiza"}},
	{`\bya29\.[A-Za-z0-9_-]{20,}`, []string{"ya29."}},
	{`\bnpm_[A-Za-z0-9]{36}|\bpypi-[A-Za-z0-9_-]{50,}|\bhf_[A-Za-z0-9]{30,}|\bdop_v1_[a-f0-9]{64}|\bdckr_pat_[A-Za-z0-9_-]{20,}|\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}`, []string{"npm_", "pypi-", "hf_", "dop_v1_", "dckr_pat_", "sg."}},
	{`\b(?:hvs|hvb|hvr|s)\.[A-Za-z0-9_-]{24,}`, []string{"hvs.", "hvb.", "hvr.", "s."}},
	{`\bglsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|\bglc_[A-Za-z0-9+/=]{32,}`, []string{"glsa_", "glc_"}},
	{`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`, []string{"eyj"}},
	{`\b\d{8,10}:AA[A-Za-z0-9_-]{32,}`, []string{":aa"}},
	{`\bAGE-SECRET-KEY-1[A-Z0-9]{50,}`, []string{"age-secret-key"}},
	{`(?i)\baws_secret_access_key\s*[=\s]\s*([A-Za-z0-9/+=]{40})`, []string{"aws_secret"}},
}
