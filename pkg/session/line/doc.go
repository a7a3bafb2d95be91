// Package line finds the command lines that people type, in what shells read from and write to their terminals.
//
// It is pure: events of one terminal in, lines out, no clock, no I/O. A shell with a line editor switches its terminal to raw
// before it prompts and back when a line is accepted; between the two, the screen shows the line. The screen is drawn
// from the shell's own writes. Keys are replayed on a model of an editor, and count only as far as the screen agrees: so
// history and completion are in the line, and a password that was typed blind is not.
package line
