// Package rules carries the default rule files, so that the program has them without a file beside it.
package rules

import (
	"embed"
	"io/fs"
)

//go:embed *.yaml
var files embed.FS

// Default is a folder of the default rule files, to be read in the order of their names. They are for package load.
func Default() fs.FS { return files }
