// Package outputtest is the contract of package outputs as a test. Every output runs it:
//
//	func TestContract(t *testing.T) {
//		outputtest.Run(t, gotify.Spec, func(server string) outputs.Config {
//			c := gotify.Defaults()
//			c.Address, c.Token = server, secret.New("hush-token")
//			return &c
//		})
//	}
//
// It keeps golden files in the output's testdata folder: how the three alerts of [Alerts] look on the wire.
// `go test -update` rewrites them. The flag is this package's: a test that uses it needs none of its own.
package outputtest

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// Run tests the output that spec describes. config makes a complete config of it for a server at the given address,
// http://127.0.0.1:port. Give every secret of it a value of its own, such as hush-token: none may come out in an
// error or in the log, though the server repeats in each refusal what it was sent.
func Run(t *testing.T, spec outputs.Spec, config func(server string) outputs.Config, options ...Option) {
	t.Helper()
	c := &contract{spec: spec, config: config, yes: Answer{Status: 200, Body: "ok"}, show: ShowBody, wants: wants(), patience: 30 * time.Second}
	for _, option := range options {
		option(c)
	}
	t.Run("spec", c.testSpec)
	t.Run("config", c.testConfig)
	t.Run("readme", c.testReadme)
	t.Run("alerts", c.testAlerts)
	if c.local != nil {
		return
	}
	t.Run("status", c.testStatus)
	t.Run("no answer", c.testNoAnswer)
	t.Run("deadline", c.testDeadline)
	t.Run("cancel", c.testCancel)
	t.Run("check", c.testCheck)
}

// Option changes what [Run] expects.
type Option func(*contract)

// Yes is what the server answers when it takes an alert. Without it, that is 200 with the text ok.
func Yes(status int, body string) Option {
	return func(c *contract) { c.yes = Answer{Status: status, Body: body} }
}

// Show says how a request's body stands in a golden file. Without it, that is [ShowBody].
func Show(show func(Request) string) Option {
	return func(c *contract) { c.show = show }
}

// Expect says what a status means at this place, where that is not what package httpx makes of it.
func Expect(status int, want Want) Option {
	return func(c *contract) { c.wants[status] = want }
}

// Local is for an output that needs no server. read returns what the place now holds, given what the output wrote to
// Env.Stdout.
func Local(read func(stdout string) string) Option {
	return func(c *contract) { c.local = read }
}

// Leaves names a function, as a stack trace has it, whose goroutine the output cannot end, for a reason that stands
// next to the call.
func Leaves(function string) Option {
	return func(c *contract) { c.leaves = append(c.leaves, goleak.IgnoreTopFunction(function)) }
}

// Want is the verdict that an answer should get. The zero Want is success.
type Want struct {
	Reason    verdict.Reason
	Permanent bool
	Pause     time.Duration // at least; 0 asks for nothing
}

// pause is what the answers that carry a Retry-After ask for.
const pause = 7 * time.Second

// wants is the table of package httpx.
func wants() map[int]Want {
	return map[int]Want{
		200: {},
		201: {},
		204: {},
		206: {},
		301: {Reason: verdict.NotFound},
		400: {Reason: verdict.Rejected, Permanent: true},
		401: {Reason: verdict.Auth},
		403: {Reason: verdict.Auth},
		404: {Reason: verdict.NotFound},
		408: {Reason: verdict.Timeout},
		413: {Reason: verdict.TooLarge, Permanent: true},
		429: {Reason: verdict.RateLimited, Pause: pause},
		500: {Reason: verdict.ServerError},
		502: {Reason: verdict.ServerError},
		503: {Reason: verdict.ServerError, Pause: pause},
	}
}
