// Command fieldsdoc writes the page of all fields.
package main

import (
	"fmt"
	"os"

	"github.com/tiercel/tiercel/pkg/rules/field"
)

func main() {
	if err := os.WriteFile(os.Args[1], field.Page(), 0o644); err != nil { //nolint:gosec // a page for everyone
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
