//go:build linux

package probe_test

// oldCalls: this architecture has none.
func oldCalls() []call { return nil }
