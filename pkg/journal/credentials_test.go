package journal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/tiercel/tiercel/pkg/journal"
)

// TestExternalServerTakesCredentials logs in with a credentials file, as NATS' operator mode wants it.
func TestExternalServerTakesCredentials(t *testing.T) {
	operator, operatorKey := pair(t, nkeys.CreateOperator)
	account, accountKey := pair(t, nkeys.CreateAccount)
	system, _ := pair(t, nkeys.CreateAccount)
	_, otherAccount := pair(t, nkeys.CreateAccount)

	accountClaims := jwt.NewAccountClaims(account)
	accountClaims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: jwt.NoLimit, MemoryStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	resolver := &server.MemAccResolver{}
	for _, claims := range []*jwt.AccountClaims{accountClaims, jwt.NewAccountClaims(system)} {
		text, err := claims.Encode(operatorKey)
		if err != nil {
			t.Fatal(err)
		}
		if err := resolver.Store(claims.Subject, text); err != nil {
			t.Fatal(err)
		}
	}
	cfg := natsServer(t, server.Options{TrustedKeys: []string{operator}, AccountResolver: resolver, SystemAccount: system})
	refused(t, cfg)
	for _, signer := range []nkeys.KeyPair{otherAccount, accountKey} {
		cfg.Credentials = credentials(t, signer)
		if signer == otherAccount {
			refused(t, cfg)
			continue
		}
		passes(t, cfg)
	}
}

// pair makes a key and its public name.
func pair(t *testing.T, create func() (nkeys.KeyPair, error)) (string, nkeys.KeyPair) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	name, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return name, key
}

// credentials writes the file of a user that signer vouches for.
func credentials(t *testing.T, signer nkeys.KeyPair) string {
	t.Helper()
	user, userKey := pair(t, nkeys.CreateUser)
	text, err := jwt.NewUserClaims(user).Encode(signer)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := userKey.Seed()
	if err != nil {
		t.Fatal(err)
	}
	content, err := jwt.FormatUserConfig(text, seed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tiercel.creds")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestValidateReadsTheFilesOfACluster: before the start, not when it connects.
func TestValidateReadsTheFilesOfACluster(t *testing.T) {
	signer, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("not what it should be"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := credentials(t, signer)
	missing := filepath.Join(dir, "missing")
	for name, c := range map[string]struct {
		change func(*journal.Config)
		want   []string // in the error; none for a good config
	}{
		"credentials":            {func(c *journal.Config) { c.Credentials = good }, nil},
		"missing credentials":    {func(c *journal.Config) { c.Credentials = missing }, []string{"credentials", "no such file"}},
		"text as credentials":    {func(c *journal.Config) { c.Credentials = text }, []string{"credentials", "JWT and a seed", text}},
		"a device":               {func(c *journal.Config) { c.Credentials = "/dev/zero" }, []string{"credentials", "/dev/zero is no file"}},
		"missing authority":      {func(c *journal.Config) { c.TLS.CACertFile = missing }, []string{"tls.cacertfile", "no such file"}},
		"text as authority":      {func(c *journal.Config) { c.TLS.CACertFile = text }, []string{"tls.cacertfile", "found none"}},
		"certificate, no key":    {func(c *journal.Config) { c.TLS.CertFile = text }, []string{"tls.keyfile"}},
		"key, no certificate":    {func(c *journal.Config) { c.TLS.KeyFile = text }, []string{"tls.certfile"}},
		"text as certificate":    {func(c *journal.Config) { c.TLS.CertFile, c.TLS.KeyFile = text, text }, []string{"tls.certfile", "client certificate"}},
		"credentials as another": {func(c *journal.Config) { c.TLS.CACertFile = good }, []string{"tls.cacertfile", "found none"}},
	} {
		cfg := journal.Defaults()
		cfg.URL = "nats://127.0.0.1:4222"
		c.change(&cfg)
		err := cfg.Validate()
		if (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", name, err, want)
			}
		}
	}
}
