package redact_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/session/redact"
)

func TestBuiltin(t *testing.T) {
	r, err := redact.New(true, nil)
	if err != nil {
		t.Fatal(err)
	}
	// § stands for the secret.
	hidden := []string{
		`curl -H "Authorization: Bearer §"`,
		`curl -H 'authorization: Basic §' https://x.example`,
		`curl -H "X-Api-Key: §" https://x.example`,
		`curl -u admin:§ https://x.example`,
		`curl --user admin:§ https://x.example`,
		`curl https://admin:§@x.example/a`,
		`git clone https://user:§@git.example/r.git`,
		`mysql -u root -p§ shop`,
		`mysql -uroot -p'§' shop`,
		`mysqldump --password=§ shop`,
		`psql "postgresql://u:§@db/shop"`,
		`PGPASSWORD=§ psql -h db`,
		`export AWS_SECRET_ACCESS_KEY=§`,
		`export GITHUB_TOKEN="§"`,
		`set -gx API_TOKEN §`,
		`TOKEN=§`,
		`DB_PASSWORD='§' ./run`,
		`sshpass -p § ssh host`,
		`sshpass -p§ ssh host`,
		`docker login -u me -p § registry`,
		`helm install x --set auth.password=§`,
		`vault login -token §`,
		`redis-cli -h x -a § ping`,
		`unzip -P § a.zip`,
		`7z x -p§ a.7z`,
		`openssl enc -aes-256-cbc -k § -in a`,
		`openssl rsa -passin pass:§ -in k`,
		`htpasswd -b file user §`,
		`echo '§' | sudo -S ls`,
		`echo "root:§" | chpasswd`,
		`kubectl create secret generic x --from-literal=password=§`,
		`curl -d '{"user":"x","password":"§"}' https://x.example`,
		`ansible-playbook x -e "ansible_become_pass=§"`,
		`비밀번호=1 PASSWORD=§ 실행`,
		`mongosh -u a -p §`,
		`az login --service-principal -u a -p § --tenant t`,
	}
	for _, text := range hidden {
		in := strings.ReplaceAll(text, "§", "hunter2-Z9x")
		out, n := r.Text(in)
		if strings.Contains(out, "hunter2") || n == 0 {
			t.Errorf("%s\n became %s (%d)", in, out, n)
		}
		if !utf8.ValidString(out) {
			t.Errorf("no UTF-8: %q", out)
		}
		if again, n := r.Text(out); again != out || n != 0 {
			t.Errorf("hidden twice:\n%s\n%s", out, again)
		}
	}
	for _, token := range []string{
		"AKIA" + "IOSFODNN7EXAMPLE", "ghp_" + strings.Repeat("a1", 18), "xoxb-" + "1234567890-abcdefgh", "glpat-" + strings.Repeat("x", 20),
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF", "sk_live_" + strings.Repeat("4", 24), "hvs." + strings.Repeat("c", 30),
		"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----",
	} {
		if out, n := r.Text("echo '" + token + "' > f"); n == 0 || strings.Contains(out, token) {
			t.Errorf("%s is not hidden: %s", token, out)
		}
	}
	for _, text := range []string{
		`ls -la /etc/passwd`,
		`echo "hello world" > example.txt`,
		`curl https://x.example/a?b=c`,
		`mysql -u root -p shop`,
		`git commit -m "token refresh: fix the password page"`,
		`kubectl get secrets -n kube-system`,
		`passwd root`,
		`ssh -p 2222 host`,
		`mkdir -p /tmp/a`,
		`docker run -p 80:80 nginx`,
		`tar -xpf a.tar`,
		`export TOKEN=$(cat /run/token)`,
		`mysql --password=$PW`,
		`vim ~/.ssh/id_ed25519`,
		`cat secret.txt | grep token`,
		`find . -name "*.key"`,
		`kubectl exec -it pod -- sh -c 'ls'`,
		`rsync -avp a b`,
		`cp -p a b`,
		`echo 안녕 | tee 파일`,
		`ps aux | grep ssh`,
		`curl -X POST -d @file https://x.example`,
	} {
		if out, n := r.Text(text); n != 0 || out != text {
			t.Errorf("%s became %s", text, out)
		}
	}
}

func TestOwnPatterns(t *testing.T) {
	r, err := redact.New(false, []string{`card=(\d+)`, `\b\d{6}-\d{7}\b`})
	if err != nil {
		t.Fatal(err)
	}
	out, n := r.Text("pay card=1234 for 900101-1234567 AKIA" + "IOSFODNN7EXAMPLE")
	if want := "pay card=[REDACTED] for [REDACTED] AKIA" + "IOSFODNN7EXAMPLE"; out != want || n != 2 {
		t.Errorf("%q (%d), not %q", out, n, want)
	}
	if _, err := redact.New(false, []string{"("}); err == nil {
		t.Error("a broken pattern is taken")
	}
}

func FuzzText(f *testing.F) {
	r, err := redact.New(true, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`curl -H "Authorization: Bearer abc" https://u:p@x -pabc TOKEN=x`)
	f.Fuzz(func(t *testing.T, text string) {
		out, _ := r.Text(text)
		if utf8.ValidString(text) && !utf8.ValidString(out) {
			t.Errorf("%q became %q", text, out)
		}
	})
}
