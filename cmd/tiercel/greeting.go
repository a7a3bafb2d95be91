package main

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/config"
)

// greet says where alerts are received. Without a config file it says how to try it, too: on a terminal as a text to
// read, else in the log.
func (c *cli) greet(log *slog.Logger, cfg *config.Config, a *app.App) {
	addrs := a.Addrs()
	all := make([]string, len(addrs))
	for i, addr := range addrs {
		all[i] = addr.String()
	}
	names := make([]string, len(cfg.Outputs))
	for i, out := range cfg.Outputs {
		names[i] = out.Name
	}
	fields := []any{"version", c.version, "addresses", all, "outputs", names, "journal", a.JournalPlace()}
	if c.file != "" {
		log.Info("taking alerts", append(fields, "config", c.file)...)
		return
	}
	address := address(cfg, addrs[0])
	try := tryLine(cfg, address, time.Now())
	if !isTerminal(c.stderr) {
		log.Info("taking alerts", append(fields, "try", try)...)
		return
	}
	c.complain(`
Tiercel %s takes alerts on %s

  outputs  %s
  journal  %s
  config   none; 'tiercel config reference' writes one with every setting
  stop     Ctrl-C

Try it from another terminal:

%s
`, c.version, address, strings.Join(names, ", "), a.JournalPlace(), try)
	c.complain("")
}

// address gives the URL at which this machine reaches the receiver.
func address(cfg *config.Config, addr net.Addr) string {
	scheme := "http"
	if cfg.HTTP.TLSServer.Deploy {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String() + "/"
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

// tryLine is a shell command that sends a whole alert.
func tryLine(cfg *config.Config, address string, now time.Time) string {
	const alert = `{"rule":"Terminal shell in container","priority":"Warning","time":"%s","source":"syscall","hostname":"node-1",` +
		`"output":"A shell was spawned in a container (user=root command=bash)","tags":["container","shell"],` +
		`"output_fields":{"user.name":"root","proc.cmdline":"bash","k8s.ns.name":"shop"}}`
	options := ""
	if cfg.HTTP.TLSServer.Deploy {
		options += "-k "
	}
	if cfg.HTTP.TLSServer.MutualTLS {
		options += "--cert client.crt --key client.key "
	}
	if !cfg.HTTP.Receiver.Token.IsZero() {
		options += `-H "Authorization: Bearer $TOKEN" `
	}
	return "curl " + options + "-d '" + fmt.Sprintf(alert, now.UTC().Format(time.RFC3339Nano)) + "' " + address
}
