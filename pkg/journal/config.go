package journal

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/size"
)

// Config is where and how accepted alerts are kept until every output has them.
type Config struct {
	// Folder of the embedded journal. Empty means $STATE_DIRECTORY/journal, else /var/lib/tiercel/journal where that can be made, else the user's state folder.
	Dir string `config:"dir"`
	// file survives a restart; memory does not.
	Storage string `config:"storage" enum:"file,memory"`
	// When a written alert reaches the disk: always (before the sender's 200), interval (every syncinterval; a power cut may lose that much, a crash of Tiercel nothing), or none (when the kernel likes).
	Sync string `config:"sync" enum:"always,interval,none"`
	// Time between two syncs with sync: interval.
	SyncInterval time.Duration `config:"syncinterval"`
	// Most that undelivered alerts may take.
	MaxSize size.Bytes `config:"maxsize"`
	// An alert that an output did not take for so long becomes a dead letter of that output. 0 is no limit.
	MaxAge time.Duration `config:"maxage"`
	// Disk space that the journal leaves free; below it the journal counts as full. 0 leaves the guard off.
	Reserve size.Bytes `config:"reserve"`
	// What to do when it is full: discard-oldest (drop the oldest alerts of the lowest priority, counted) or refuse (answer 503, for senders that try again; Falco does not).
	Full string `config:"full" enum:"discard-oldest,refuse"`
	// How long a sender is held while the journal is full, before the policy of full applies.
	FullWait time.Duration `config:"fullwait"`
	// Use an existing NATS cluster with JetStream instead of the embedded server: nats://host:4222, tls://host:4222, several separated by commas.
	URL string `config:"url"`
	// Begin of the names of streams, subjects and consumers in that cluster, for several Tiercels in one cluster.
	Prefix string `config:"prefix"`
	// Copies of each alert in that cluster: 1, 3 or 5.
	Replicas int `config:"replicas"`
	// NATS credentials file (JWT and seed).
	Credentials string `config:"credentials"`
	// NATS user name.
	User string `config:"user"`
	// NATS password.
	Password secret.String `config:"password"`
	// NATS token.
	Token secret.String `config:"token"`
	// TLS to that cluster.
	TLS TLS `config:"tls"`
	// What could not be delivered, kept to be looked at and tried again.
	DeadLetters DeadLetterConfig `config:"deadletters"`
}

// TLS holds the files for TLS to an external cluster.
type TLS struct {
	// Certificate authority to trust instead of those of the system, PEM.
	CACertFile string `config:"cacertfile"`
	// Client certificate, PEM.
	CertFile string `config:"certfile"`
	// Its private key, PEM.
	KeyFile string `config:"keyfile"`
}

// DeadLetterConfig bounds the dead letters; beyond it the oldest go, which is counted.
type DeadLetterConfig struct {
	// Most that dead letters may take.
	MaxSize size.Bytes `config:"maxsize"`
	// How long dead letters are kept. 0 is no limit.
	MaxAge time.Duration `config:"maxage"`
}

// Values of Config.Storage, Config.Sync and Config.Full.
const (
	StorageFile   = "file"
	StorageMemory = "memory"

	SyncAlways   = "always"
	SyncInterval = "interval"
	SyncNone     = "none"

	FullDiscardOldest = "discard-oldest"
	FullRefuse        = "refuse"
)

// Defaults gives an embedded journal on disk that is synced before each 200.
func Defaults() Config {
	return Config{
		Storage:      StorageFile,
		Sync:         SyncAlways,
		SyncInterval: time.Second,
		MaxSize:      1 * size.GiB,
		MaxAge:       7 * 24 * time.Hour,
		Reserve:      128 * size.MiB,
		Full:         FullDiscardOldest,
		FullWait:     time.Second,
		Prefix:       "tiercel",
		Replicas:     1,
		DeadLetters:  DeadLetterConfig{MaxSize: 128 * size.MiB, MaxAge: 30 * 24 * time.Hour},
	}
}

// Validate returns every problem, joined. It reads the files that a cluster needs.
func (c *Config) Validate() error {
	errs := c.checkFiles()
	oneOf := func(key, value string, allowed ...string) {
		if slices.Contains(allowed, value) {
			return
		}
		errs = append(errs, problem.At(key, "%q is none of %s", value, strings.Join(allowed, ", ")))
	}
	oneOf("storage", c.Storage, StorageFile, StorageMemory)
	oneOf("sync", c.Sync, SyncAlways, SyncInterval, SyncNone)
	oneOf("full", c.Full, FullDiscardOldest, FullRefuse)
	if c.SyncInterval <= 0 {
		errs = append(errs, problem.At("syncinterval", "expected more than 0, got %s", c.SyncInterval))
	}
	if c.MaxSize < 1*size.MiB {
		errs = append(errs, problem.At("maxsize", "expected at least 1MiB, got %s", c.MaxSize))
	}
	if c.DeadLetters.MaxSize < 64*size.KiB {
		errs = append(errs, problem.At("deadletters.maxsize", "expected at least 64KiB, got %s", c.DeadLetters.MaxSize))
	}
	for _, limit := range []struct {
		key   string
		value time.Duration
	}{{"maxage", c.MaxAge}, {"fullwait", c.FullWait}, {"deadletters.maxage", c.DeadLetters.MaxAge}} {
		if limit.value < 0 {
			errs = append(errs, problem.At(limit.key, "expected 0 or more, got %s", limit.value))
		}
	}
	if !areAddresses(c.URL) {
		errs = append(errs, problem.At("url", "expected nats://host:4222 or tls://host:4222, or several with commas between"))
	}
	if c.User == "" && !c.Password.IsZero() {
		errs = append(errs, problem.At("password", "expected a user with it: set user too"))
	}
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		errs = append(errs, problem.At("replicas", "expected 1, 3 or 5, got %d", c.Replicas))
	}
	if c.Replicas > 1 && c.URL == "" {
		errs = append(errs, problem.At("replicas", "the embedded journal has one copy: set url to an existing NATS cluster for %d", c.Replicas))
	}
	if c.Prefix == "" || strings.ContainsAny(c.Prefix, " .*>/\\\t\r\n") {
		errs = append(errs, problem.At("prefix", "expected letters, digits, - and _, got %q", c.Prefix))
	}
	return errors.Join(errs...)
}

// areAddresses reports whether the client can take urls: each part has one of its schemes, or none, and a host.
func areAddresses(urls string) bool {
	if urls == "" {
		return true
	}
	for part := range strings.SplitSeq(urls, ",") {
		part = strings.TrimSpace(part)
		if !strings.Contains(part, "://") {
			part = "nats://" + part
		}
		u, err := url.Parse(part)
		if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return false
		}
	}
	return true
}
