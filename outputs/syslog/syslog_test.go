package syslog_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/outputs/syslog"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// collector takes messages with their length before them, and gives them one by one.
type collector struct {
	net.Listener

	messages chan string
	conns    chan net.Conn
}

func listen(t testing.TB, config *tls.Config) *collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	c := &collector{listener, make(chan string, 1000), make(chan net.Conn, 100)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.conns <- conn
			go func() {
				in := bufio.NewReader(conn)
				for {
					length, err := in.ReadString(' ')
					if err != nil {
						return
					}
					n, err := strconv.Atoi(strings.TrimSpace(length))
					if err != nil {
						c.messages <- "no length: " + length
						return
					}
					message := make([]byte, n)
					if _, err := io.ReadFull(in, message); err != nil {
						return
					}
					c.messages <- string(message)
				}
			}()
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	return c
}

func (c *collector) next(t testing.TB) string {
	t.Helper()
	select {
	case m := <-c.messages:
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no message came")
		return ""
	}
}

func (c *collector) port() string { return strconv.Itoa(c.Addr().(*net.TCPAddr).Port) }

func TestContract(t *testing.T) {
	c := listen(t, nil)
	outputtest.Run(t, syslog.Spec, func(string) outputs.Config {
		config := syslog.Defaults()
		config.Host, config.Port, config.Format = "127.0.0.1", c.port(), "cef"
		return &config
	}, outputtest.Local(func(string) string { return c.next(t) + "\n" }))
}

func open(t testing.TB, change func(*syslog.Config)) outputs.Output {
	t.Helper()
	c := syslog.Defaults()
	c.Host = "127.0.0.1"
	change(&c)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	o, err := syslog.New(outputs.Env{Name: "syslog", HTTP: httpx.Defaults()}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.(io.Closer).Close() })
	return o
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// RFC 5424, section 6, as far as we write it.
var header = regexp.MustCompile(`^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z|-) ([A-Za-z0-9._:-]{1,255}) Falco - alert - (.*)$`)

func TestMessages(t *testing.T) {
	for _, sample := range outputtest.Alerts() {
		c := listen(t, nil)
		if err := open(t, func(config *syslog.Config) { config.Port, config.Facility = c.port(), "local3" }).Send(deadline(t), []*alert.Alert{sample.Alert}); err != nil {
			t.Fatal(err)
		}
		m := header.FindStringSubmatch(c.next(t))
		if m == nil {
			t.Fatalf("%s is no message of RFC 5424", sample.Name)
		}
		if want := 19*8 + 7 - int(sample.Alert.Priority); m[1] != strconv.Itoa(want) {
			t.Errorf("%s: <%s>, want <%d>", sample.Name, m[1], want)
		}
		if m[4] != string(sample.Alert.AppendJSON(nil)) || !json.Valid([]byte(m[4])) {
			t.Errorf("%s: %.200s", sample.Name, m[4])
		}
	}
}

func TestNewlines(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var all []*alert.Alert
	for _, s := range outputtest.Alerts() {
		all = append(all, s.Alert)
	}
	for _, format := range []string{"json", "cef"} {
		o := open(t, func(c *syslog.Config) {
			c.Port, c.Framing, c.Format = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port), "newline", format
		})
		if err := o.Send(deadline(t), all); err != nil {
			t.Fatal(err)
		}
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		for range all {
			line, err := in.ReadString('\n')
			if err != nil || header.FindStringSubmatch(strings.TrimSuffix(line, "\n")) == nil {
				t.Errorf("%s: %v, %.300q", format, err, line)
			}
		}
		_ = conn.Close()
	}
}

func TestUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	o := open(t, func(c *syslog.Config) { c.Protocol, c.Port = "udp", strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port) })
	all := outputtest.Alerts()
	err = o.Send(deadline(t), []*alert.Alert{all[0].Alert, all[2].Alert, all[1].Alert})
	var partial verdict.Partial
	if !errors.As(err, &partial) || len(partial) != 1 || !verdict.IsPermanent(partial[1]) || verdict.ReasonOf(partial[1]) != verdict.TooLarge {
		t.Errorf("the hostile one does not fit into a datagram: %v", err)
	}
	buffer := make([]byte, 1<<16)
	for _, want := range []*alert.Alert{all[0].Alert, all[1].Alert} {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, _, err := conn.ReadFrom(buffer)
		if m := header.FindStringSubmatch(string(buffer[:n])); err != nil || m == nil || m[4] != string(want.AppendJSON(nil)) {
			t.Errorf("%v, %q", err, buffer[:n])
		}
	}
}

// A collector that was restarted gets what comes after on a new connection; no alert goes into the old one.
func TestTheCollectorIsRestarted(t *testing.T) {
	c := listen(t, nil)
	o := open(t, func(config *syslog.Config) { config.Port = c.port() })
	a := outputtest.Alerts()[1].Alert
	for range 3 {
		if err := o.Send(deadline(t), []*alert.Alert{a, a}); err != nil {
			t.Fatal(err)
		}
		c.next(t)
		c.next(t)
		_ = (<-c.conns).Close()
		time.Sleep(20 * time.Millisecond) // the end of the connection is on its way
	}
	_ = c.Close()
	if err := o.Send(deadline(t), []*alert.Alert{a}); err == nil || verdict.ReasonOf(err) != verdict.Connection || verdict.IsPermanent(err) {
		t.Errorf("nobody listens: %v", err)
	}
	if err := o.(outputs.Checker).Check(deadline(t)); err == nil {
		t.Error("nobody listens, but Check is content")
	}
}

// A collector that reads nothing holds a write up until the deadline.
func TestACollectorThatHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	o := open(t, func(c *syslog.Config) { c.Port = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port) })
	var batch []*alert.Alert
	for range 200 {
		batch = append(batch, outputtest.Alerts()[2].Alert)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := o.Send(ctx, batch); verdict.ReasonOf(err) != verdict.Timeout {
		t.Errorf("got %v", err)
	}
}

// authority makes a certificate for 127.0.0.1 and the file that trusts it.
func authority(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

func TestTLS(t *testing.T) {
	config, ca := authority(t)
	c := listen(t, config)
	set := func(file string) func(*syslog.Config) {
		return func(config *syslog.Config) {
			config.Protocol, config.Port, config.Connection.CAFile, config.Framing = "tls", c.port(), file, "newline"
		}
	}
	o := open(t, set(ca))
	for range 2 {
		if err := o.Send(deadline(t), []*alert.Alert{outputtest.Alerts()[1].Alert}); err != nil {
			t.Fatal(err)
		}
		if m := c.next(t); header.FindStringSubmatch(m) == nil {
			t.Errorf("got %q", m)
		}
	}
	if err := open(t, set("")).Send(deadline(t), []*alert.Alert{outputtest.Alerts()[1].Alert}); verdict.ReasonOf(err) != verdict.TLS || verdict.IsPermanent(err) {
		t.Errorf("an unknown authority: %v", err)
	}
}

// What rsyslog makes of our messages: it knows facility, severity, host and program, and the JSON is whole.
func TestRealRsyslog(t *testing.T) {
	binary, err := exec.LookPath("rsyslogd")
	if err != nil {
		if _, err := os.Stat("/usr/sbin/rsyslogd"); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("no rsyslogd here: Debian's package is rsyslog")
			}
			t.Skip("no rsyslogd here: Debian's package is rsyslog")
		}
		binary = "/usr/sbin/rsyslogd"
	}
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	_ = free.Close()
	file, out := filepath.Join(dir, "rsyslog.conf"), filepath.Join(dir, "out.log")
	text := fmt.Sprintf("global(maxMessageSize=\"256k\" workDirectory=%q)\nmodule(load=\"imtcp\")\ninput(type=\"imtcp\" port=%q address=\"127.0.0.1\")\n"+
		"template(name=\"t\" type=\"string\" string=\"%%syslogfacility-text%%|%%syslogseverity-text%%|%%hostname%%|%%programname%%|%%msg%%\\n\")\n*.* action(type=\"omfile\" file=%q template=\"t\")\n", dir, port, out)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-n", "-f", file, "-i", filepath.Join(dir, "pid"))
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	o := open(t, func(c *syslog.Config) { c.Port, c.Facility = port, "local0" })
	eventually := func(what string, ok func() bool) {
		for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				got, err := os.ReadFile(out)
				t.Fatalf("did not happen: %s\n%s\n%v %.3000s", what, log.String(), err, got)
			}
		}
	}
	eventually("it listens", func() bool { return o.(outputs.Checker).Check(deadline(t)) == nil })
	var all []*alert.Alert
	for _, s := range outputtest.Alerts() {
		all = append(all, s.Alert)
	}
	if err := o.Send(deadline(t), all); err != nil {
		t.Fatal(err)
	}
	var lines []string
	eventually("it has all", func() bool {
		got, _ := os.ReadFile(out)
		lines = nil
		for line := range strings.Lines(string(got)) {
			if strings.Contains(line, "|Falco|") {
				lines = append(lines, line)
			}
		}
		return len(lines) == len(all)
	})
	parts := strings.SplitN(lines[1], "|", 5)
	if strings.Join(parts[:4], " ") != "local0 warning node-03 Falco" || strings.TrimSpace(parts[4]) != string(all[1].AppendJSON(nil)) {
		t.Errorf("got %q", lines[1])
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*syslog.Config)
		want   string
	}{
		"a URL":       {func(c *syslog.Config) { c.Host = "tcp://h" }, "host: "},
		"a port":      {func(c *syslog.Config) { c.Port = "syslog" }, "port: "},
		"port 0":      {func(c *syslog.Config) { c.Port = "0" }, "port: "},
		"a facility":  {func(c *syslog.Config) { c.Facility = "loud" }, "facility: "},
		"half a pair": {func(c *syslog.Config) { c.Connection.KeyFile = "k" }, "connection.certfile: "},
	} {
		config := syslog.Defaults()
		config.Host = "h"
		c.change(&config)
		if got := problem.Each(config.Validate()); len(got) != 1 || !strings.HasPrefix(got[0].Error(), c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
