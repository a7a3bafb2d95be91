//go:build linux && (amd64 || arm64)

package probe

// explain adds to an error of Open what the machine lacks.
func explain(err error) error { return err }
