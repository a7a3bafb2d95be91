package main

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/tiercel/tiercel/pkg/alert"
)

// table is rows of cells, written in aligned columns without borders. It knows that Hangul and emoji take two columns
// of a terminal, and that colours take none.
type table struct {
	rows  [][]cell
	limit int // columns that a line may take; 0 is no limit
}

// cell is a text on one line.
type cell struct {
	text   string
	colour colour
}

// colour is how a terminal writes a cell.
type colour string

const (
	plain  colour = ""
	red    colour = "\x1b[31m"
	green  colour = "\x1b[32m"
	yellow colour = "\x1b[33m"
	reset         = "\x1b[0m"
)

// newTable begins a table for standard output. Headings are written in capitals.
func (c *cli) newTable(headings ...string) *table {
	return &table{rows: [][]cell{texts(headings...)}, limit: c.terminalWidth()}
}

// texts makes cells without colours. What is in them can neither end a line nor control a terminal.
func texts(all ...string) []cell {
	cells := make([]cell, len(all))
	for i, text := range all {
		cells[i] = cell{text: oneLine(text)}
	}
	return cells
}

func oneLine(text string) string { return alert.Printable(strings.Join(strings.Fields(text), " ")) }

// add adds a row.
func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// gap stands between two columns.
const gap = "  "

// writeTo writes the table, with colours or without.
func (t *table) writeTo(w io.Writer, coloured bool) error {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(c.text))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		used := 0
		for i, c := range row {
			text, pad := c.text, widths[i]-columns(c.text)
			if i == len(row)-1 {
				pad = 0
				if t.limit > used {
					text = shorten(text, t.limit-used)
				}
			}
			if coloured && c.colour != plain && text != "" {
				text = string(c.colour) + text + reset
			}
			b.WriteString(text)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", pad) + gap)
			}
			used += widths[i] + len(gap)
		}
		line := strings.TrimRight(b.String(), " ")
		b.Reset()
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// columns is how many columns of a terminal a text takes.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x1100: // the first wide one
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// shorten cuts a text to so many columns.
func shorten(text string, most int) string {
	if columns(text) <= most {
		return text
	}
	used := 1 // for the …
	for i, r := range text {
		used += columnsOf(r)
		if used > most {
			return text[:i] + "…"
		}
	}
	return text
}
