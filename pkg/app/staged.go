package app

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// staged gathers the metrics of something that may take the place of what is there, and may yet not: they are shown once
// it does. It is a prometheus.Registerer.
type staged struct {
	scratch    *prometheus.Registry // finds mistakes at once
	collectors []prometheus.Collector
}

func newStaged() *staged { return &staged{scratch: prometheus.NewRegistry()} }

// Register implements prometheus.Registerer.
func (s *staged) Register(c prometheus.Collector) error {
	if err := s.scratch.Register(c); err != nil {
		return err
	}
	s.collectors = append(s.collectors, c)
	return nil
}

// MustRegister implements prometheus.Registerer.
func (s *staged) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := s.Register(c); err != nil {
			panic(err)
		}
	}
}

// Unregister implements prometheus.Registerer.
func (s *staged) Unregister(c prometheus.Collector) bool { return s.scratch.Unregister(c) }

// replace shows the metrics in the place of those of before, which may be nil.
func (s *staged) replace(before *staged, registry prometheus.Registerer) error {
	before.remove(registry)
	var errs []error
	for _, c := range s.collectors {
		errs = append(errs, registry.Register(c))
	}
	return errors.Join(errs...)
}

// remove shows the metrics no more.
func (s *staged) remove(registry prometheus.Registerer) {
	if s == nil {
		return
	}
	for _, c := range s.collectors {
		registry.Unregister(c)
	}
}
