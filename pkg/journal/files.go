package journal

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/nats-io/nkeys"

	"github.com/tiercel/tiercel/pkg/problem"
)

// checkFiles looks at the files that an external cluster needs, as the client will: it reads them only when it connects,
// and says little of what is wrong with them.
func (c *Config) checkFiles() []error {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, problem.At(key, format, args...)) }
	if c.Credentials != "" {
		if content, err := readFile(c.Credentials); err != nil {
			wrong("credentials", "expected a NATS credentials file: %v", err)
		} else if err := checkCredentials(content); err != nil {
			wrong("credentials", "expected a JWT and a seed in %s, as nsc writes them: %v", c.Credentials, err)
		}
	}
	if c.TLS.CACertFile != "" {
		if content, err := readFile(c.TLS.CACertFile); err != nil {
			wrong("tls.cacertfile", "expected certificates as PEM: %v", err)
		} else if !x509.NewCertPool().AppendCertsFromPEM(content) {
			wrong("tls.cacertfile", "expected certificates as PEM in %s, found none", c.TLS.CACertFile)
		}
	}
	switch cert, key := c.TLS.CertFile, c.TLS.KeyFile; {
	case cert == "" && key == "":
	case key == "":
		wrong("tls.keyfile", "expected the private key of tls.certfile")
	case cert == "":
		wrong("tls.certfile", "expected the certificate of tls.keyfile")
	default:
		if err := checkPair(cert, key); err != nil {
			wrong("tls.certfile", "expected a client certificate in %s and its key in %s: %v", cert, key, err)
		}
	}
	return errs
}

func checkPair(certFile, keyFile string) error {
	cert, err := readFile(certFile)
	if err != nil {
		return err
	}
	key, err := readFile(keyFile)
	if err != nil {
		return err
	}
	_, err = tls.X509KeyPair(cert, key)
	return err
}

// checkCredentials reports what is missing in a credentials file. Its error holds nothing of the file.
func checkCredentials(content []byte) error {
	if _, err := nkeys.ParseDecoratedJWT(content); err != nil {
		return fmt.Errorf("no JWT: %w", err)
	}
	pair, err := nkeys.ParseDecoratedNKey(content)
	if err != nil {
		return fmt.Errorf("no seed: %w", err)
	}
	pair.Wipe()
	return nil
}

// readFile reads a file of at most 1 MiB. A device may never end.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", name)
	case info.Size() > 1<<20:
		return nil, fmt.Errorf("%s has %d bytes", name, info.Size())
	}
	return os.ReadFile(name)
}
