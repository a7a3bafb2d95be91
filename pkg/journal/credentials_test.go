package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
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
