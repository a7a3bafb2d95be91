package falcoevent

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/pkg/container"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/field"
)

func label(all map[string]string, arg field.Arg) field.Value {
	if value, ok := all[arg.Key]; ok {
		return field.Text(value)
	}
	return field.Value{}
}

// labels are all labels as key:value, with a comma between two, in the order of the keys.
func labels(all map[string]string) field.Value {
	if len(all) == 0 {
		return field.Value{}
	}
	parts := make([]string, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, key+":"+all[key])
	}
	return field.Text(strings.Join(parts, ", "))
}

// mounts are all mounts in one text, each as mount shows it.
func mounts(all []container.Mount) field.Value {
	if len(all) == 0 {
		return field.Value{}
	}
	parts := make([]string, len(all))
	for i := range all {
		parts[i] = mountText(&all[i])
	}
	return field.Text(strings.Join(parts, ","))
}

// mountText is a mount as Falco shows it: source, destination, mode, whether it can be written, propagation.
func mountText(m *container.Mount) string {
	return m.Source + ":" + m.Destination + ":" + m.Mode + ":" + strconv.FormatBool(m.Writable) + ":" + m.Propagation
}

// mount gives a part of one mount, which is named by its number, or by its source, in which * is any text;
// container.mount.source is asked by the destination.
func mount(all []container.Mount, id field.ID, arg field.Arg) field.Value {
	m := findMount(all, id == field.ContainerMountSource, arg)
	if m == nil {
		return field.Value{}
	}
	switch id {
	case field.ContainerMount:
		return field.Text(mountText(m))
	case field.ContainerMountSource:
		return field.Text(m.Source)
	case field.ContainerMountDest:
		return field.Text(m.Destination)
	case field.ContainerMountMode:
		return field.Text(m.Mode)
	case field.ContainerMountRdwr:
		return field.Text(strconv.FormatBool(m.Writable))
	case field.ContainerMountPropagation:
		return field.Text(m.Propagation)
	}
	return field.Value{}
}

func findMount(all []container.Mount, byDestination bool, arg field.Arg) *container.Mount {
	if arg.Index >= 0 {
		if arg.Index < len(all) {
			return &all[arg.Index]
		}
		return nil
	}
	for i := range all {
		name := all[i].Source
		if byDestination {
			name = all[i].Destination
		}
		if rules.Wildcard(arg.Key, name) {
			return &all[i]
		}
	}
	return nil
}
