// Package session follows the people at the machine's terminals: which sessions there are, where they came from, what was
// typed in them, what each line started and how that ended. It takes the probe's events and gives events for rules.
//
// Everything happens in the goroutine that calls Event and Tick. Text is redacted before anything else sees it.
package session
