package loki

import (
	"slices"
	"strings"
)

// Bounds of one line's structured metadata. By default Loki refuses a line with more than 128 pieces or 64 KiB
// (limits_config.max_structured_metadata_entries_count, max_structured_metadata_size), and adds some of its own.
const (
	maxMetadata      = 100
	maxMetadataBytes = 48 << 10
)

// truncatedName is the piece of metadata that names what was left out for being too much.
const truncatedName = "_tiercel_truncated"

// maxTruncated bounds the list of names in it, in bytes.
const maxTruncated = 1 << 10

// bound leaves the largest pieces out until the rest is within the bounds, and adds a piece that names them. The
// first piece, the alert's uuid, always stays. order is scratch space, handed back for the next time.
func bound(metadata []pair, order []int) ([]pair, []int) {
	total := 0
	for _, p := range metadata {
		total += len(p.name) + len(p.value)
	}
	if total <= maxMetadataBytes && len(metadata) <= maxMetadata {
		return metadata, order
	}
	order = order[:0]
	for i := range metadata[1:] {
		order = append(order, i+1)
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(metadata[b].value) - len(metadata[a].value) })
	left, out := len(metadata), 0
	for out < len(order) && (total > maxMetadataBytes-maxTruncated-len(truncatedName) || left > maxMetadata-1) {
		p := metadata[order[out]]
		total -= len(p.name) + len(p.value)
		left--
		out++
	}
	dropped := order[:out]
	slices.Sort(dropped)
	var list strings.Builder
	kept, next := metadata[:0], 0
	for i, p := range metadata {
		if next == len(dropped) || dropped[next] != i {
			kept = append(kept, p)
			continue
		}
		next++
		if list.Len() > maxTruncated {
			continue
		}
		if list.Len() > 0 {
			list.WriteByte(',')
		}
		list.WriteString(p.name)
	}
	return append(kept, pair{truncatedName, cut(list.String(), maxTruncated)}), order
}
