package config

import "reflect"

// Differing lists the settings, by their paths, that have another value in other. Those of outputs are not among them.
func (c *Config) Differing(other *Config) ([]string, error) {
	mine, err := section("", c)
	if err != nil {
		return nil, err
	}
	theirs, err := section("", other)
	if err != nil {
		return nil, err
	}
	var paths []string
	mine.leaves(func(s *setting) {
		if t := theirs.at(s.path); t == nil || !reflect.DeepEqual(s.field.Interface(), t.field.Interface()) {
			paths = append(paths, s.path)
		}
	})
	return paths, nil
}
