package falcogrpc_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/falcogrpc"
	"github.com/tiercel/tiercel/pkg/size"
)

// BenchmarkDeliver publishes alerts to subscribers that take their bytes and decode nothing. The figures are for each
// delivery; the processor's time is that of both ends, which share this process.
func BenchmarkDeliver(b *testing.B) {
	for _, subscribers := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			s := serve(b, func(c *falcogrpc.Config, _ *falcogrpc.Deps) { c.Buffer = 64 * size.MiB })
			one := numbered(0)
			const ahead = 4096 // alerts that the slowest may be behind
			slots := make(chan struct{}, ahead*subscribers)
			var taking sync.WaitGroup
			for range subscribers {
				sub := subscribe(b, s.dialRaw())
				taking.Go(func() {
					for range b.N {
						var raw falcogrpc.Raw
						if err := sub.RecvMsg(&raw); err != nil {
							b.Error(err)
							return
						}
						<-slots
					}
				})
			}
			before := processorTime()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				for range subscribers {
					slots <- struct{}{}
				}
				s.Publish(one)
			}
			taking.Wait()
			b.StopTimer()
			deliveries := float64(b.N) * float64(subscribers)
			b.ReportMetric(deliveries/b.Elapsed().Seconds(), "deliveries/s")
			b.ReportMetric(float64((processorTime()-before).Nanoseconds())/deliveries, "cpu-ns/delivery")
		})
	}
}

func processorTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
