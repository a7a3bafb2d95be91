package container

import "strings"

// Image is the name of an image in its parts.
type Image struct {
	Name       string // as the runtime knows it: `docker.io/library/nginx:1.27`
	Repository string // without tag and digest: `docker.io/library/nginx`
	Tag        string // "" when the image was named by its digest
	Digest     string // `sha256:…` of the manifest, "" where the runtime does not say
	ID         string // `sha256:…` of the configuration, or what the runtime uses in its place
}

// ParseImage splits `repository[:tag][@digest]`. A bare digest or id is no name: then only Name and Digest are set.
func ParseImage(name string) Image {
	image := Image{Name: name}
	rest, digest, digested := strings.Cut(name, "@")
	if digested {
		image.Digest = digest
	}
	if algorithm, hex, found := strings.Cut(rest, ":"); found && algorithm == "sha256" && len(hex) == idLen && isHex(hex) {
		image.Digest = rest
		return image
	}
	if len(rest) == idLen && isHex(rest) {
		return image
	}
	image.Repository = rest
	// A colon before the last slash belongs to the registry's port.
	if at := strings.LastIndexByte(rest, ':'); at > strings.LastIndexByte(rest, '/') {
		image.Repository, image.Tag = rest[:at], rest[at+1:]
	}
	return image
}
